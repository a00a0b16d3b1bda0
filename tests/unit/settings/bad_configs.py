"""Broken configurations and what is said of them.

A row is: what is broken; the file after a sound `[connections.strive]` (4 lines, so it goes on at line 5), a
whole file or the environment; and the lines expected.
"""

from __future__ import annotations

from tests.unit.settings.samples import STRIVE, TELERIVET

UNIT = 'write a number with s, m, h, d or w, like "5m"'
C = "config.toml"
A_DATABASE = 'like "postgresql://rosterd@db.example.org/rosterd", or "postgresql:///rosterd" on this machine'

GROUPS = """\
[connections.first]
platform = "action_network"
group = "north"
api_key_file = "strive.key"
[connections.again]
platform = "action_network"
group = "south"
api_key_file = "strive.key"
"""

ADDED = [
    # ── keys nobody knows
    (
        "a key mistyped",
        'evry = "5m"',
        [f"{C}:5:1: connections.strive.evry: unknown key (did you mean 'every'?)"],
    ),
    ("a table mistyped", "[fuze]", [f"{C}:5:2: fuze: unknown key (did you mean 'fuse'?)"]),
    (
        "a key in an inline table",
        "[fuse]\nupdate = {row = 3}",
        [f"{C}:6:11: fuse.update.row: unknown key (did you mean 'rows'?)"],
    ),
    (
        "a key of another platform",
        'feed = "scan"',
        [
            f"{C}:5:1: connections.strive.feed: unknown key (known: api_key, api_key_file, base_url, "
            "campaign_id, direction, enabled, every, full_every, late_after, maintenance, mapping, overlap, platform, "
            "priority, quiet_hours, rate, region, timezone, where)"
        ],
    ),
    # ── wrong types and values
    ("a text for a number", 'rate = "fast"', [f"{C}:5:1: connections.strive.rate: must be a number"]),
    ("no calls at all", "rate = 0", [f"{C}:5:1: connections.strive.rate: must be more than 0"]),
    ("endless calls", "rate = inf", [f"{C}:5:1: connections.strive.rate: must be at most 1000"]),
    (
        "true for a number",
        "priority = true",
        [f"{C}:5:1: connections.strive.priority: must be a number, not true or false"],
    ),
    (
        "a webhook nobody could check",
        '[alerts]\nwebhook = "https://example.org/hooks"',
        [
            f"{C}:5:2: alerts: webhook without webhook_secret_file "
            "(it is signed: `openssl rand -hex 24 > webhook.secret`)"
        ],
    ),
    (
        "two mail addresses in one",
        '[alerts]\nemail_to = ["a@example.org, b@example.org"]\nemail_from = "a@example.org"',
        [
            f"{C}:6:13: alerts.email_to.0: 'a@example.org, b@example.org' is no mail address "
            '(like "oncall@example.org")'
        ],
    ),
    (
        "a mail server without a port",
        '[alerts]\nsmtp = "mail.example.org"',
        [f"{C}:6:1: alerts.smtp: 'mail.example.org' is no mail server (like \"mail.example.org:587\")"],
    ),
    (
        "a name to log in with, and no password",
        '[alerts]\nsmtp_username = "rosterd"',
        [f"{C}:5:2: alerts: smtp_username and smtp_password_file go together (give both, or neither)"],
    ),
    ("half a priority", "priority = 1.5", [f"{C}:5:1: connections.strive.priority: must be a whole number"]),
    ("a number for a switch", "enabled = 3", [f"{C}:5:1: connections.strive.enabled: must be true or false"]),
    (
        "a duration without unit",
        "every = 300",
        [f"{C}:5:1: connections.strive.every: 300 is not a duration ({UNIT})"],
    ),
    (
        "a duration in words",
        'every = "5 minutes"',
        [f"{C}:5:1: connections.strive.every: '5 minutes' is not a duration ({UNIT})"],
    ),
    ("never", 'every = "0s"', [f"{C}:5:1: connections.strive.every: must be longer than nothing"]),
    (
        "a century",
        'full_every = "5300w"',
        [f"{C}:5:1: connections.strive.full_every: must be shorter than ten years"],
    ),
    (
        "an unknown direction",
        'direction = "inwards"',
        [f"{C}:5:1: connections.strive.direction: must be one of both, in, out"],
    ),
    (
        "a country that is no region",
        'region = "UK"',
        [f"{C}:5:1: connections.strive.region: 'UK' is no region phone numbers can be read for (did you mean \"GB\"?)"],
    ),
    ("where as a text", "where = 'tag = x'", [f"{C}:5:1: connections.strive.where: must be a table"]),
    (
        "bad defaults are told once",
        '[defaults]\nevery = "soon"',
        [f"{C}:6:1: defaults.every: 'soon' is not a duration ({UNIT})"],
    ),
    (
        "a table that is a number",
        "[connections]\nother = 3",
        [f"{C}:6:1: connections.other: must be a table"],
    ),
    (
        "a limit below nothing",
        "[fuse]\nblank = {rows = -1}",
        [f"{C}:6:10: fuse.blank.rows: must be at least 0"],
    ),
    (
        "more than all",
        "[fuse]\nmerge = {percent = 101}",
        [f"{C}:6:10: fuse.merge.percent: must be at most 100"],
    ),
    ("a limit that is a number", "[fuse]\nvanish = 3", [f"{C}:6:1: fuse.vanish: must be a table"]),
    (
        "an unknown scope",
        '[consent]\nscope = "some"',
        [f"{C}:6:1: consent.scope: must be one of all, connection"],
    ),
    ("nobody may share", "[identity]\nmax_shared = 0", [f"{C}:6:1: identity.max_shared: must be at least 1"]),
    (
        "a text for a list",
        '[identity]\nignore = "x"',
        [f'{C}:6:1: identity.ignore: must be a list, like ["one", "two"]'],
    ),
    (
        "a number in a list of texts",
        '[identity]\nignore = ["x", 3]',
        [f"{C}:6:16: identity.ignore.1: must be a text in quotes"],
    ),
    (
        "an unknown level",
        '[log]\nlevel = "loud"',
        [f"{C}:6:1: log.level: must be one of debug, info, warning, error"],
    ),
    # ── addresses and files
    (
        "http to the world",
        'base_url = "http://api.example.org"',
        [
            f"{C}:5:1: connections.strive.base_url: http would send the key in the clear "
            "(use https; http only on this machine)"
        ],
    ),
    (
        "http to a host that only sounds local",
        'base_url = "http://localhost.example.org"',
        [
            f"{C}:5:1: connections.strive.base_url: http would send the key in the clear "
            "(use https; http only on this machine)"
        ],
    ),
    (
        "an address with a path",
        'base_url = "https://api.example.org/v1"',
        [
            f"{C}:5:1: connections.strive.base_url: must be the bare address, without path or query "
            "(the path is added for you)"
        ],
    ),
    (
        "an address with a query",
        'base_url = "https://api.example.org?x=1"',
        [
            f"{C}:5:1: connections.strive.base_url: must be the bare address, without path or query "
            "(the path is added for you)"
        ],
    ),
    (
        "an address with a key in it",
        'base_url = "https://me:s3cret@api.example.org"',
        [f"{C}:5:1: connections.strive.base_url: must not carry credentials (use api_key_file)"],
    ),
    (
        "no address",
        'base_url = "api.example.org"',
        [f'{C}:5:1: connections.strive.base_url: must begin with https:// (like "https://api.example.org")'],
    ),
    (
        "a port that is none",
        'base_url = "https://api.example.org:99999"',
        [f"{C}:5:1: connections.strive.base_url: is not an address: Port out of range 0-65535"],
    ),
    (
        "no such mapping",
        'mapping = "nowhere.yaml"',
        [
            f"{C}:5:1: connections.strive.mapping: HOME/nowhere.yaml does not exist "
            "(`rosterd init` writes one, or leave the key out to use the preset)"
        ],
    ),
    (
        "the mapping of nobody",
        'mapping = "~nosuchuser/x.yaml"',
        [f"{C}:5:1: connections.strive.mapping: there is no user ~nosuchuser"],
    ),
    (
        "a folder for a mapping",
        'mapping = "."',
        [
            f"{C}:5:1: connections.strive.mapping: HOME is not a file "
            "(`rosterd init` writes one, or leave the key out to use the preset)"
        ],
    ),
    (
        "another kind of database",
        '[state]\nurl = "mysql://db.example.org/x"',
        [
            f"{C}:6:1: state.url: must begin with sqlite:/// or postgresql:// "
            '(like "sqlite:////var/lib/rosterd/state.db" or "postgresql://rosterd@db.example.org/rosterd")'
        ],
    ),
    (
        "a server without a database",
        '[state]\nurl = "postgresql://rosterd@db.example.org"',
        [f"{C}:6:1: state.url: must name a database ({A_DATABASE})"],
    ),
    (
        "a database at a port that is none",
        '[state]\nurl = "postgresql://rosterd@db.example.org:port/rosterd"',
        [f"{C}:6:1: state.url: is not an address of a database ({A_DATABASE})"],
    ),
    *(
        (
            f"a password where others can read it ({how})",
            f'[state]\nurl = "{url}"',
            [
                f"{C}:6:1: state.url: a password in a file that others can read "
                f"(chmod 600 {C}, or use url_file; never in a file that others can read)"
            ],
        )
        for how, url in (
            ("before the host", "postgresql://rosterd:s3cret@db.example.org/rosterd"),
            ("among the options", "postgres:///rosterd?host=db.example.org&password=s3cret"),
        )
    ),
    (
        "an address twice",
        '[state]\nurl = "postgresql:///rosterd"\nurl_file = "database.url"',
        [f"{C}:6:1: state.url: given twice, here and as url_file (keep one of the two)"],
    ),
    (
        "a file for the address that is not there",
        '[state]\nurl_file = "database.url"',
        [
            f"{C}:6:1: state.url_file: HOME/database.url does not exist "
            "(write the address of the database into it and chmod 600 it)"
        ],
    ),
    (
        "a database that forgets",
        '[state]\nurl = "sqlite:///:memory:"',
        [f"{C}:6:1: state.url: must name a file (what is not kept on disk is forgotten)"],
    ),
    # ── connections
    (
        "a name with a capital and a dash",
        '[connections.Strive-Two]\nplatform = "strive"\ncampaign_id = 3\napi_key_file = "strive.key"',
        [
            f"{C}:5:14: connections.Strive-Two: is no name for a connection "
            "(write it in a-z, 0-9 and single _, beginning with a letter)"
        ],
    ),
    (
        "a platform mistyped",
        '[connections.two]\nplatform = "telerivt"',
        [f"{C}:5:14: connections.two: unknown platform 'telerivt' (did you mean 'telerivet'?)"],
    ),
    (
        "no platform",
        "[connections.two]\ncampaign_id = 3",
        [
            f"{C}:5:14: connections.two: has no platform "
            "(platform = one of strive, telerivet, action_network, colony, carium)"
        ],
    ),
    (
        "no campaign and no key",
        '[connections.two]\nplatform = "strive"',
        [
            f"{C}:5:14: connections.two.api_key: there is no key "
            "(give api_key_file, or ROSTERD_CONNECTIONS__TWO__API_KEY in the environment)",
            f"{C}:5:14: connections.two.campaign_id: is missing",
        ],
    ),
    (
        "a project that is none",
        TELERIVET.replace("PJ2ad0100821a98bea", "273"),
        [
            f"{C}:7:1: connections.telerivet.project_id: is not an id of this platform "
            '(it looks like "PJ2ad0100821a98bea")'
        ],
    ),
    (
        "a feed that is none",
        TELERIVET + 'feed = "webhook"',
        [f"{C}:9:1: connections.telerivet.feed: must be one of auto, scan, dynamic_group"],
    ),
    (
        "one account twice",
        STRIVE.replace("strive]", "again]"),
        [
            f"{C}:5:14: connections.again: is on the same account as 'strive' (strive 273) "
            "(keep one, or set enabled = false)"
        ],
    ),
    (
        "one account twice, spelt differently, beside another mistake",
        STRIVE.replace("strive]", "again]") + 'base_url = "HTTPS://API.strivemessaging.org/"\n[log]\nlevel = 1',
        [
            f"{C}:5:14: connections.again: is on the same account as 'strive' (strive 273) "
            "(keep one, or set enabled = false)",
            f"{C}:11:1: log.level: must be one of debug, info, warning, error",
        ],
    ),
    (
        "one key of Action Network twice: whatever the group is called, it is one group",
        GROUPS,
        [
            f"{C}:9:14: connections.again: has the same key as 'first': on action_network one key is one account "
            "(keep one, or set enabled = false)"
        ],
    ),
    # ── keys of accounts
    (
        "a key file that is not there",
        TELERIVET.replace("telerivet.key", "gone.key"),
        [
            f"{C}:8:1: connections.telerivet.api_key_file: HOME/gone.key does not exist "
            "(write the API key into it and chmod 600 it)"
        ],
    ),
    (
        "a secret that is not there, and that would have to be long",
        '[service]\ntoken_file = "gone.token"',
        [f"{C}:6:1: service.token_file: HOME/gone.token does not exist (write the token into it and chmod 600 it)"],
    ),
    (
        "a folder for a key file",
        TELERIVET.replace("telerivet.key", "."),
        [f"{C}:8:1: connections.telerivet.api_key_file: HOME cannot be read: Is a directory"],
    ),
    (
        "a key file no file can be",
        TELERIVET.replace("telerivet.key", "a\\u0000b"),
        [f"{C}:8:1: connections.telerivet.api_key_file: no file can be called so"],
    ),
    (
        "a key in a file all can read",
        TELERIVET.replace('api_key_file = "telerivet.key"', 'api_key = "s3cret"'),
        [
            f"{C}:8:1: connections.telerivet.api_key: a key in a file that others can read "
            f"(chmod 600 {C}, or use api_key_file; never in a file that others can read)"
        ],
    ),
    (
        "two keys",
        'api_key = "s3cret"',
        [
            f"{C}:5:1: connections.strive.api_key: a key in a file that others can read "
            f"(chmod 600 {C}, or use api_key_file; never in a file that others can read)",
            f"{C}:5:1: connections.strive.api_key: given twice, here and as api_key_file (keep one of the two)",
        ],
    ),
    # ── all of it at once
    (
        "everything is told, in the order of the file",
        'rate = "fast"\nevry = "5m"\n[fuse]\nblank = 3\n[log]\nlevel = "loud"',
        [
            f"{C}:5:1: connections.strive.rate: must be a number",
            f"{C}:6:1: connections.strive.evry: unknown key (did you mean 'every'?)",
            f"{C}:8:1: fuse.blank: must be a table",
            f"{C}:10:1: log.level: must be one of debug, info, warning, error",
        ],
    ),
]

WHOLE = [
    (
        "nothing",
        "",
        [f"{C}:1:1: connections: no connection is configured (add a table [connections.NAME], or run `rosterd init`)"],
    ),
    (
        "an empty table of connections",
        "[log]\n[connections]",
        [f"{C}:2:2: connections: must not be empty (add a table [connections.NAME], or run `rosterd init`)"],
    ),
    (
        "a table that is a list",
        "connections = []",
        [f"{C}:1:1: connections: must be a table (add a table [connections.NAME], or run `rosterd init`)"],
    ),
    ("no value", "a = 1\nb = \n", [f"{C}:2:5: not TOML: invalid value"]),
    ("a key twice", "a = 1\na = 2\n", [f"{C}:2:6: not TOML: cannot overwrite a value"]),
    (
        "a table left open",
        "a = 1\n[b",
        [f"{C}:2:1: not TOML: expected ']' at the end of a table declaration"],
    ),
    (
        "lines of Windows are counted alike",
        "# one\r\n# two\r\n" + STRIVE.replace("\n", "\r\n") + "rate = 0\r\n",
        [f"{C}:7:1: connections.strive.rate: must be more than 0"],
    ),
]

ENVIRONMENT = [
    (
        "a variable nobody knows",
        {"ROSTERD_STAT__URL": "x"},
        ["environment ROSTERD_STAT__URL: no such setting (did you mean 'state'?)"],
    ),
    (
        "a key nobody knows",
        {"ROSTERD_STATE__URI": "x"},
        ["environment ROSTERD_STATE__URI: unknown key (did you mean 'url'?)"],
    ),
    (
        "a connection nobody knows",
        {"ROSTERD_CONNECTIONS__STRIV__RATE": "3"},
        ["environment ROSTERD_CONNECTIONS__STRIV__RATE: there is no connection 'striv' (did you mean 'strive'?)"],
    ),
    (
        "a dash makes another connection",
        {"ROSTERD_CONNECTIONS__STRIVE-2__RATE": "3"},
        ["environment ROSTERD_CONNECTIONS__STRIVE-2__RATE: there is no connection 'strive-2' (did you mean 'strive'?)"],
    ),
    (
        "a wrong value",
        {"ROSTERD_CONNECTIONS__STRIVE__RATE": "fast"},
        ["environment ROSTERD_CONNECTIONS__STRIVE__RATE: must be a number"],
    ),
    (
        "a wrong value over a right one in the file",
        {"ROSTERD_CONNECTIONS__STRIVE__CAMPAIGN_ID": "first"},
        ["environment ROSTERD_CONNECTIONS__STRIVE__CAMPAIGN_ID: must be a whole number"],
    ),
    (
        "a list that is none, and the rest is still read",
        {"ROSTERD_IDENTITY__IGNORE": "a, b", "ROSTERD_FUSE__BLANK__ROWS": "x"},
        [
            "environment ROSTERD_FUSE__BLANK__ROWS: must be a whole number",
            'environment ROSTERD_IDENTITY__IGNORE: is not valid JSON (a list is written as ["one", "two"])',
        ],
    ),
    (
        "an unknown level",
        {"ROSTERD_LOG": "loud"},
        ["environment ROSTERD_LOG: must be one of debug, info, warning, error"],
    ),
    (
        "an empty key",
        {"ROSTERD_CONNECTIONS__STRIVE__API_KEY": ""},
        ["environment ROSTERD_CONNECTIONS__STRIVE__API_KEY: is empty"],
    ),
    (
        "a key over two lines is not shown",
        {"ROSTERD_CONNECTIONS__STRIVE__API_KEY": "s3cret\ns3cret"},
        [
            "environment ROSTERD_CONNECTIONS__STRIVE__API_KEY: holds characters no API key has "
            "(blanks, line ends or letters beyond ASCII)"
        ],
    ),
    (
        "no such folder of credentials",
        {"CREDENTIALS_DIRECTORY": "/nowhere"},
        ["environment CREDENTIALS_DIRECTORY: no such directory: /nowhere"],
    ),
]
