"""`python -m clever_login.doctor` runs the checks."""

from clever_login.doctor.runner import doctor

if __name__ == "__main__":
    doctor(prog_name="python -m clever_login.doctor")
