"""The forms. Flask-WTF adds a CSRF token to each."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import EmailField, IntegerField, PasswordField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Regexp

MAX_DAYS = 14


class LogInForm(FlaskForm):
    """The login with an email address and a password."""

    email = EmailField("Email", [InputRequired(), Length(max=120), Regexp(r"[^@\s]+@[^@\s]+$")])
    password = PasswordField("Password", [InputRequired(), Length(min=8, max=200)])


class SignUpForm(LogInForm):
    """A new account."""

    name = StringField("Name", [InputRequired(), Length(max=80)])


class BorrowForm(FlaskForm):
    """What a borrower tells the library."""

    purpose = StringField("What is it for?", [InputRequired(), Length(max=200)])
    days = IntegerField("For how many days?", [InputRequired(), NumberRange(1, MAX_DAYS)])
