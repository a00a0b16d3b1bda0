"""Words the population is made of. None of these people exist."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN = _words("""
    Ana José María Luis Zoë Chloé André Renée Søren Björn Łucja Đorđe Nuñez Aisha Keisha Jamal Tyrone Mei Hiroshi
    Priya Arjun Fatima Omar Grace Ruth Samuel Esther Daniel Leah Noah Olivia Liam Emma Mason Ava Ethan Mia Lucas
    Amara Kofi Nia Tariq Lina Yusuf Elena Ivan Olga Dmitri Sofia Mateo Camila Diego Inés Raúl
""")
FAMILY = _words("""
    García Müller Núñez O'Neill Smith-Jones Washington Jefferson Okafor Nguyễn Tran Kim Park Singh Patel Haddad
    Cohen Rossi Dubois Lefèvre Øster Åkesson Kowalski Novák Horvat Petrović Ivanova Lopez Hernández Castillo
    Robinson Walker Brooks Coleman Freeman Hayes Banks Rivers Stone Marsh Vale Wren Ashe Birch Calloway Dune
""")
PLACES = (
    ("Atlanta", "GA", "30303"),
    ("Savannah", "GA", "31401"),
    ("Chicago", "IL", "60601"),
    ("Peoria", "IL", "61602"),
    ("Austin", "TX", "73301"),
    ("El Paso", "TX", "79901"),
    ("San José", "CA", "95112"),
    ("Cañon City", "CO", "81212"),
)
STREETS = ("Main St", "Peachtree Ave", "Martin Luther King Jr Blvd", "Calle Ocho", "2nd St Apt 4B")
AREA_CODES = _words("""
    202 205 206 207 212 213 214 215 216 217 301 302 303 304 305 309 310 312 313 314 401 402 404 405 406 410 412
    413 414 415 501 502 503 504 505 508 509 510 512 513 601 602 603 605 606 608 609 610 612 614 701 702 703 704
    706 708 712 713 714 715 801 802 803 804 805 808 810 812 813 814 901 903 904 906 907 908 909 912 913 914
""")
GROUPS = ("Volunteer", "Donor", "Chapter: Atlanta", "Chapter: Chicago", "Phone bank", "Événement")
