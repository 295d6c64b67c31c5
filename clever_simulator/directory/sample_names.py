"""Made-up names as plain data. No real person, school or district."""

from clever_simulator.directory.models import Role

_FIRST_NAMES_TEXT = """
    Amara Liam Zoë Mateo Priya Noah Aaliyah Ethan Linh Oliver Fatima Lucas Siobhán Diego Hana
    Elijah Nia Henrik Camila Samuel Mei Isaac Leilani Omar Grace Tomasz Imani Benjamin Xochitl
    Jonah Yuki Malik Sofía Caleb Anjali Theo Ngozi Julian Freya Rafael Salma Wyatt Thảo André
    Naomi Kofi Ingrid Hassan Talia Dmitri Esperanza Kai Ruth Arjun Chloe Tariq Maya Emil Alejandra
    Sven Ines Jamal Keiko Patrick Aylin Gabriel Winona Luca Hope Ibrahim Mina Felix
"""

_LAST_NAMES_TEXT = """
    Okafor Nguyen Ramírez Johansson Patel Whitfield Kim Delgado Abdi O'Connor Yamamoto Brooks
    Castillo Petrov Haddad Washington Lindqvist Mbeki Fernández Carter Zhang Kowalski Begay Singh
    Rosales Müller Osei Tran Hughes Farouk Sandoval Bennett Kapoor Ibarra Dubois Freeman
    Sato Vargas Novak Ali Gutiérrez Park Ellison Achebe Reyes Larsen Chaudhry Bowman Medina
    Kahale Thompson Ortega Weiss Jackson-Reed Moreau Hoang Silva Greenwood
"""
FIRST_NAMES, LAST_NAMES = tuple(_FIRST_NAMES_TEXT.split()), tuple(_LAST_NAMES_TEXT.split())

# (name, short name, schools). A school is (name, lowest grade, highest grade).
DISTRICTS = (
    (
        "Harrow Creek Unified School District",
        "harrow-creek",
        (
            ("Juniper Hill Elementary School", "Kindergarten", "5"),
            ("Alder Grove Elementary School", "Kindergarten", "5"),
            ("Mill Pond Middle School", "6", "8"),
            ("Harrow Creek High School", "9", "12"),
        ),
    ),
    (
        "Lantern Bay Public Schools",
        "lantern-bay",
        (
            ("Saltmarsh Elementary School", "Kindergarten", "6"),
            ("Lantern Bay High School", "7", "12"),
        ),
    ),
)

GRADES = ("Kindergarten", *(str(number) for number in range(1, 13)))

# (section name, subject from Clever's list).
SUBJECTS = (
    ("Reading Workshop", "english/language arts"),
    ("Mathematics", "math"),
    ("Science", "science"),
    ("Social Studies", "social studies"),
    ("Art and Music", "arts and music"),
    ("Homeroom", "homeroom/advisory"),
)

# The people that are in every simulator, in the order of the login page: (user name, first name,
# last name, roles).
NAMED_PEOPLE: tuple[tuple[str, str, str, tuple[Role, ...]], ...] = (
    ("student", "Ada", "Moreno", ("student",)),
    ("teacher", "Grace", "Whitaker", ("teacher",)),
    ("school_admin", "Desmond", "Clarke", ("staff",)),
    ("district_admin", "Mei-Ling", "Ortiz", ("district_admin",)),
    ("teacher_admin", "Tomás", "Oyelaran", ("teacher", "staff")),
    ("sparse", "Sky", "Larkin", ("student",)),
)
NAMED_PEOPLE_ELSEWHERE: tuple[tuple[str, str, str, tuple[Role, ...]], ...] = (
    ("student2", "Rosa", "Lindgren", ("student",)),
    ("teacher2", "Hugo", "Bakshi", ("teacher",)),
    ("school_admin2", "Yasmin", "Holt", ("staff",)),
    ("district_admin2", "Peter", "Nakamura", ("district_admin",)),
)
