"""Broken mapping files, each with every complaint it must get.

A case is a name, the file, the complaints (without the file's name in front), and whether the JSON Schema
sees it too; what it cannot see is what YAML itself forbids, and what only shows with preset or connection.
"""

from __future__ import annotations

from typing import NamedTuple

CAMPAIGN = "f77e736b-d295-4e68-96ec-a765090c6523"
RULE = f"{{name: wrote, when: {{tag: Wrote letter}}, campaign: {CAMPAIGN}, target: {{title: Senator}}"
BARE = f"{{name: a, campaign: {CAMPAIGN}, target: {{title: S}}"
"""Rules for outreaches, but for their last brace."""


class Bad(NamedTuple):
    name: str
    text: str
    says: list[str]
    schema_sees_it: bool = True


BAD = [
    Bad(
        "an unknown key at the top",
        "preset: strive\nfeilds: {}\n",
        [
            "2:1: there is no key 'feilds' in a mapping. Did you mean 'fields'?",
        ],
    ),
    Bad(
        "neither preset nor platform",
        "fields: {city: city}\n",
        [
            (
                "1:1: preset or platform is missing. Say `preset: strive` to build on a preset, or "
                "`platform: strive` to start from nothing."
            ),
        ],
    ),
    Bad(
        "an unknown preset",
        "preset: stirve\n",
        [
            "1:1: there is no preset 'stirve'. Did you mean 'strive'?",
        ],
    ),
    Bad(
        "a preset that resembles nothing",
        "preset: xq\n",
        [
            "1:1: there is no preset 'xq'. Known are action_network, carium, colony, strive and telerivet.",
        ],
    ),
    Bad(
        "the preset of another platform",
        "# ours\npreset: telerivet\n",
        [
            (
                "2:1: this mapping is for telerivet, the connection's platform is strive. Give the "
                "connection another mapping, or this one another preset."
            ),
        ],
        schema_sees_it=False,
    ),
    Bad(
        "another platform",
        "platform: colony\n",
        [
            (
                "1:1: this mapping is for colony, the connection's platform is strive. Give the "
                "connection another mapping, or this one another platform."
            ),
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a preset and another platform",
        "preset: strive\nplatform: telerivet\n",
        [
            (
                "2:1: this mapping is for telerivet, the connection's platform is strive. Give the "
                "connection another mapping, or this one another platform."
            ),
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a region in words",
        "preset: strive\nregion: usa\n",
        [
            "2:1: 'usa' is not a region. Write two capitals, such as US or ZA.",
        ],
    ),
    Bad(
        "a region that does not exist",
        "preset: strive\nregion: XX\n",
        [
            "2:1: there is no region 'XX'. Regions are the two letters of ISO 3166, such as US or ZA.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a list instead of a mapping",
        "- preset\n",
        [
            "1:1: this must be a mapping, not a list.",
        ],
    ),
    Bad(
        "an empty file",
        "",
        [
            "1:1: this must be a mapping, not nothing.",
        ],
    ),
    Bad(
        "an unknown field",
        "preset: strive\nfields:\n  emial: email\n",
        [
            "3:3: 'emial' is not a field. Did you mean 'email'?",
        ],
    ),
    Bad(
        "a field of one's own without custom",
        "preset: strive\nfields:\n  shoe_size: shoes\n",
        [
            ("3:3: 'shoe_size' is not a field. A field of your own is custom.NAME, an id elsewhere external.NAME."),
        ],
    ),
    Bad(
        "tags among the fields",
        "preset: strive\nfields:\n  tags: groups\n",
        [
            "3:3: 'tags' is not a field. It has a section of its own: `tags:` beside `fields:`.",
        ],
    ),
    Bad(
        "consent among the fields",
        "preset: strive\nfields:\n  consent.sms: opt_in\n",
        [
            "3:3: 'consent.sms' is not a field. It has a section of its own: `consent:` beside `fields:`.",
        ],
    ),
    Bad(
        "a list as a rule",
        "preset: strive\nfields:\n  city: [a, b]\n",
        [
            "3:3: this must be a path, a table with `at`, or off, not a list.",
        ],
    ),
    Bad(
        "a number as a path",
        "preset: strive\nfields:\n  city: 3\n",
        [
            "3:3: this must be a path, a table with `at`, or off, not a number.",
        ],
    ),
    Bad(
        "a path with an index",
        "preset: strive\nfields:\n  city: addresses[0].city\n",
        [
            (
                "3:3: 'addresses[0].city' is not a path. Lists are for tags and the other_ fields; "
                "`select:` picks one element, reading only."
            ),
        ],
    ),
    Bad(
        "a path with an empty step",
        "preset: strive\nfields:\n  city: custom..city\n",
        [
            "3:3: 'custom..city' is not a path. Write keys with dots between them, such as custom.gift.",
        ],
    ),
    Bad(
        "an unknown key in a rule",
        "preset: strive\nfields:\n  city: {att: city}\n",
        [
            "3:10: there is no key 'att' in a field. Did you mean 'at'?",
        ],
    ),
    Bad(
        "an unknown direction",
        "preset: strive\nfields:\n  city: {at: city, direction: inn}\n",
        [
            "3:20: there is no direction 'inn'. Did you mean 'in'?",
        ],
    ),
    Bad(
        "an unknown policy",
        "preset: strive\nfields:\n  city: {at: city, policy: newest}\n",
        [
            "3:20: there is no policy 'newest'. Known are latest, priority, fill and never.",
        ],
    ),
    Bad(
        "union of one value",
        "preset: strive\nfields:\n  city: {at: city, policy: union}\n",
        [
            "3:20: there is no policy 'union'. Known are latest, priority, fill and never.",
        ],
    ),
    Bad(
        "an unknown type",
        "preset: strive\nfields:\n  city: {at: city, as: nubmer}\n",
        [
            "3:20: there is no type 'nubmer'. Did you mean 'number'?",
        ],
    ),
    Bad(
        "an unknown transform",
        "preset: strive\nfields:\n  city: {at: city, transform: [trim, uper]}\n",
        [
            "3:38: there is no transform 'uper'. Did you mean 'upper'?",
        ],
    ),
    Bad(
        "a transform that is no list",
        "preset: strive\nfields:\n  city: {at: city, transform: upper}\n",
        [
            "3:20: this must be a list of transforms, not text.",
        ],
    ),
    Bad(
        "a map that is no table",
        "preset: strive\nfields:\n  language: {at: lang, map: [en]}\n",
        [
            "3:24: this must be a table of `ours: theirs`, not a list.",
        ],
    ),
    Bad(
        "a map into a table",
        "preset: strive\nfields:\n  language: {at: lang, map: {en: {a: b}}}\n",
        [
            "3:30: this must be a value or a list of values, not a table.",
        ],
    ),
    Bad(
        "a map and a type",
        "preset: strive\nfields:\n  language: {at: lang, as: text, map: {en: English}}\n",
        [
            "3:24: 'map' and 'as' do not go together: the map already says what is on the wire.",
        ],
    ),
    Bad(
        "a default without a map",
        "preset: strive\nfields:\n  language: {at: lang, default: en}\n",
        [
            "3:24: 'default' says nothing without 'map'. Give with `map` a table of `ours: theirs`.",
        ],
    ),
    Bad(
        "a default that cannot be written",
        "preset: strive\nfields:\n  language: {at: lang, map: {en: English}, default: es}\n",
        [
            ("3:44: the map does not name this value, so it cannot be written. Add it, or say `direction: in`."),
        ],
        schema_sees_it=False,
    ),
    Bad(
        "at and select",
        "preset: strive\nfields:\n  city: {at: city, select: city}\n",
        [
            "3:10: 'select' and 'at' do not go together: a value is either at a path or selected.",
        ],
    ),
    Bad(
        "select, written",
        "preset: strive\nfields:\n  city: {select: city, direction: both}\n",
        [
            "3:24: with 'select', 'direction' can only be in: what is selected can only be read.",
        ],
    ),
    Bad(
        "a select that is no JMESPath",
        'preset: strive\nfields:\n  city: {select: "a[?"}\n',
        [
            "3:10: this is not a JMESPath expression: Incomplete expression.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a length of nothing",
        "preset: strive\nfields:\n  city: {at: city, max: 0}\n",
        [
            "3:20: this must be a whole number from 1.",
        ],
    ),
    Bad(
        "a length in kilobytes",
        "preset: strive\nfields:\n  city: {at: city, max: 4 kB}\n",
        [
            "3:20: '4 kB' is not a number of bytes. Write it as in `4096 bytes`.",
        ],
    ),
    Bad(
        "the length of a number",
        "preset: strive\nfields:\n  custom.n: {at: n, as: number, max: 3}\n",
        [
            "3:21: with 'max', 'as' can only be text, email, phone or date: only text has a length.",
        ],
    ),
    Bad(
        "a format of a number",
        "preset: strive\nfields:\n  custom.n: {at: n, as: number, format: '%d'}\n",
        [
            "3:21: with 'format', 'as' can only be date or phone: nothing else has a format.",
        ],
    ),
    Bad(
        "a format of text",
        "preset: strive\nfields:\n  city: {at: city, format: '%d'}\n",
        [
            "3:20: only dates and phones have a format. Add `as: date`.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a date without a year",
        "preset: strive\nfields:\n  birth_date: {at: custom.born, as: date, format: '%d.%m.'}\n",
        [
            "3:43: a date needs its year, month and day, once each. Write it as in %m/%d/%Y.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a date with hours",
        "preset: strive\nfields:\n  birth_date: {at: custom.born, as: date, format: '%d.%m.%Y %H'}\n",
        [
            "3:43: '%H' is no part of a date. Known are %d, %m, %b, %B, %Y and %y.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a phone in an unknown format",
        "preset: strive\nfields:\n  phone: {at: phone_number, format: local}\n",
        [
            "3:29: there is no format 'local' for phones. Known are e164 and digits.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a rule without a place",
        "preset: strive\nfields:\n  country: {policy: fill}\n",
        [
            "3:3: neither 'at' nor 'select' says where this is, and no preset does. Add `at: PATH`.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a list field with a type",
        "preset: strive\nfields:\n  other_phones: {at: phones, as: phone}\n",
        [
            "3:30: there is no key 'as' in a list field. Known are at, direction, policy and missing.",
        ],
    ),
    Bad(
        "tags without a place",
        "platform: strive\ntags: {only: [a]}\n",
        [
            "2:1: 'at' is missing. Say where the tags are, such as \"groups[].name\".",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "tags only of nothing",
        "preset: strive\ntags: {only: []}\n",
        [
            "2:8: this must be a list of tags, and not empty.",
        ],
    ),
    Bad(
        "a tag renamed to a number",
        "preset: strive\ntags: {rename: {vols: 3}}\n",
        [
            "2:17: this must be the name of a tag, not a number.",
        ],
    ),
    Bad(
        "a state of consent that does not exist",
        "preset: strive\nconsent:\n  sms: {map: {true: subscribd}}\n",
        [
            "3:15: there is no state of consent 'subscribd'. Did you mean 'subscribed'?",
        ],
    ),
    Bad(
        "a channel that does not exist",
        "preset: strive\nconsent: {fax: {at: x, map: {true: unsubscribed}}}\n",
        [
            "2:11: there is no key 'fax' in consent. Known are sms and email.",
        ],
    ),
    Bad(
        "consent with a direction",
        "preset: strive\nconsent: {sms: {at: opt_in, direction: out}}\n",
        [
            "2:29: there is no key 'direction' in a channel of consent. Known are at, map and missing.",
        ],
    ),
    Bad(
        "consent without a map",
        "platform: strive\nconsent: {sms: {at: opt_in}}\n",
        [
            "2:11: 'map' is missing. Consent needs `at` and `map`.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "where without a comparison",
        "preset: strive\nwhere: {field: city}\n",
        [
            "2:1: eq, in, prefix or exists is missing.",
        ],
    ),
    Bad(
        "where with two comparisons",
        "preset: strive\nwhere: {field: city, eq: a, prefix: b}\n",
        [
            ("2:29: 'eq' and 'prefix' do not go together: one comparison at a time; put several under `all`."),
        ],
    ),
    Bad(
        "where with a misspelt comparison",
        "preset: strive\nwhere: {field: city, equals: a}\n",
        [
            "2:1: eq, in, prefix or exists is missing.",
            ("2:22: there is no key 'equals' in a condition on a field. Known are field, eq, in, prefix and exists."),
        ],
    ),
    Bad(
        "where on an unknown field",
        "preset: strive\nwhere: {field: cty, eq: a}\n",
        [
            "2:9: 'cty' is not a field. Did you mean 'city'?",
        ],
    ),
    Bad(
        "where on the field tags",
        "preset: strive\nwhere: {field: tags, eq: a}\n",
        [
            "2:9: 'tags' is not a field. Write `tag: NAME`.",
        ],
    ),
    Bad(
        "where with all and any at once",
        "preset: strive\nwhere:\n  all: [{tag: a}]\n  any: [{tag: b}]\n",
        [
            "4:3: all and any: one of them at a time. Put them in a list under `all`.",
        ],
    ),
    Bad(
        "where with an unknown word",
        "preset: strive\nwhere: {al: [{tag: a}]}\n",
        [
            "2:9: 'al' is not a condition (all, any, not, field or tag). Did you mean 'all'?",
        ],
    ),
    Bad(
        "where all of nothing",
        "preset: strive\nwhere: {all: []}\n",
        [
            "2:9: this must be a list of conditions, and not empty.",
        ],
    ),
    Bad(
        "where as text",
        "preset: strive\nwhere: region = GA\n",
        [
            "2:1: this must be a condition, or off, not text.",
        ],
    ),
    Bad(
        "a mistake deep inside where",
        "preset: strive\nwhere:\n  all:\n    - {tag: a}\n    - not: {any: [{tagg: b}]}\n",
        [
            "5:20: 'tagg' is not a condition (all, any, not, field or tag). Did you mean 'tag'?",
        ],
    ),
    Bad(
        "a key given twice",
        "preset: strive\nfields:\n  city: a\n  city: b\n",
        [
            "4:3: 'city' is given twice (first on line 3). Keep one of them.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "an alias",
        "preset: strive\nfields:\n  city: &x {at: city}\n  region: *x\n",
        [
            "4:3: anchors and aliases are not used here. Write it out a second time.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a tag of YAML",
        "preset: strive\nfields:\n  city: !!python/name:os.system {}\n",
        [
            "3:9: the tag tag:yaml.org,2002:python/name:os.system is not used here. Leave it out.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a key that is a list",
        "preset: strive\nfields: {[a]: b}\n",
        [
            "2:10: a key must be plain text.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "a tab",
        "preset: strive\nfields:\n\tcity: a\n",
        [
            ("3:1: this is not YAML: found character that cannot start any token. Indent with spaces, not tabs."),
        ],
    ),
    Bad(
        "a bracket left open",
        "preset: strive\nfields: {city: [a\nregion: b\n",
        [
            "3:7: this is not YAML: did not find expected ',' or ']'.",
        ],
    ),
    Bad(
        "two documents",
        "preset: strive\n---\npreset: strive\n",
        [
            "2:1: this is not YAML: but found another document.",
        ],
    ),
    Bad(
        "several mistakes are told together, in the order of the file",
        "preset: strive\n"
        "regoin: US\n"
        "fields:\n"
        "  city: {at: city, policy: newst}\n"
        "  emial: email\n"
        "where: {field: x, eq: 1}\n",
        [
            "2:1: there is no key 'regoin' in a mapping. Did you mean 'region'?",
            "4:20: there is no policy 'newst'. Known are latest, priority, fill and never.",
            "5:3: 'emial' is not a field. Did you mean 'email'?",
            "6:9: 'x' is not a field. A field of your own is custom.NAME, an id elsewhere external.NAME.",
        ],
    ),
    Bad(
        "outreaches that are no list",
        "preset: strive\noutreach: {}\n",
        ["2:1: this must be a list of rules, not a table."],
    ),
    Bad(
        "an outreach without anything",
        "preset: strive\noutreach:\n  - {}\n",
        [
            "3:5: 'campaign' is missing. The advocacy campaign; it must have been made through the API.",
            "3:5: 'name' is missing. The rule's own name, for good: what has fired under another name fires again.",
            "3:5: 'target' is missing. Whom the person reached; always one.",
            "3:5: 'when' is missing. What must happen to the contact: `tag`, `field` or `consent`.",
        ],
    ),
    Bad(
        "an outreach whose words are wrong",
        f"preset: strive\noutreach:\n  - {RULE},\n     subject: 'From {{givn_name}}', message: 'A }} here'}}\n",
        [
            "4:6: there is no field 'givn_name' to put here. Did you mean 'given_name'?",
            "4:35: a brace '}' stands alone. Write {field}, or }} for a brace.",
        ],
    ),
    Bad(
        "an outreach that puts a list into words, or computes",
        f"preset: strive\noutreach:\n  - {RULE},\n     subject: 'I am {{tags}}', message: '{{city.upper}}'}}\n",
        [
            "4:6: there is no field 'tags' to put here. Only fields with one value can be put into words.",
            "4:30: there is no field 'city.upper' to put here. "
            "A field of your own is custom.NAME; a default stands after a bar: {city|town}.",
        ],
    ),
    Bad(
        "an outreach that is a letter and a call",
        f"preset: strive\noutreach:\n  - {RULE}, message: Hello, duration: 1 min}}\n",
        ["3:136: 'message' and 'duration' do not go together: a campaign is of letters or of calls."],
    ),
    Bad(
        "an outreach about two events",
        f"preset: strive\noutreach:\n  - {BARE}, when: {{tag: A, consent: sms}}}}\n",
        ["3:98: tag and consent: one of them at a time. One event a rule; write a rule for each."],
    ),
    Bad(
        "an outreach about what never happens",
        "preset: strive\noutreach:\n"
        "  - {name: a, campaign: f77e736b-d295-4e68-96ec-a765090c6523, target: {title: S}, when: {field: full_name}}\n"
        "  - {name: b, campaign: f77e736b-d295-4e68-96ec-a765090c6523, target: {title: S}, when: {tag: 'A*'}}\n",
        [
            "3:90: 'full_name' is not a field. It is put together from given_name and family_name: name one of them.",
            "4:90: 'A*' is not the name of a tag. Give its whole name: nothing stands for others.",
        ],
    ),
    Bad(
        "an outreach with a campaign by its name, no target, and a name no rule can have",
        "preset: strive\noutreach:\n"
        "  - {name: My Rule, campaign: save-the-park, target: {}, referrer: {referrer: x}, when: {consent: mail}}\n",
        [
            "3:6: 'My Rule' is not a name. Small letters, digits and _, such as wrote_letter.",
            "3:21: 'save-the-park' is not the id of a campaign. It is the last part of the campaign's address in the "
            "API, as in f77e736b-d295-4e68-96ec-a765090c6523.",
            "3:46: title, given_name, family_name or ocdid is missing. Say whom the person reached.",
            "3:58: source, website, email_referrer or mobile_message_referrer is missing. Say where they came from, or "
            "leave `referrer` out.",
            "3:69: there is no key 'referrer' in a referrer. Did you mean 'email_referrer'?",
            "3:90: there is no channel 'mail'. Did you mean 'email'?",
        ],
    ),
    Bad(
        "two rules of one name, and one that would bring about another",
        f"preset: strive\noutreach:\n  - {RULE}}}\n  - {RULE}, add_tags: [wrote LETTER]}}\n",
        [
            "4:6: there is a rule 'wrote' already. Each needs a name of its own.",
            "4:131: the tag 'wrote LETTER' fires the rule 'wrote': an outreach must not bring about another.",
        ],
        schema_sees_it=False,
    ),
    Bad(
        "an event on a blank value",
        f"preset: strive\noutreach:\n  - {BARE}, when: {{field: city, is: ''}}}}\n",
        ["3:103: this must not be blank. An event is a value that was set."],
        schema_sees_it=False,
    ),
]
