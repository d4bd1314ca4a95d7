//! Slips in `contacts.csv`.

use crate::world::{Row, check};

const FAULTS: &[Row] = &[
    (
        "it@example.org",
        "it at example.org",
        "contacts.csv:2: email is not a mail address, expected an address such as duty@example.org, without quotation marks or spaces",
    ),
    (
        "it@example.org",
        "",
        "contacts.csv:2: has no address, expected one of email, webhook, wecom, dingtalk, feishu, slack, teams, sms",
    ),
    (
        "https://hooks",
        "http://hooks",
        "contacts.csv:3: has a webhook without TLS, expected https://, or webhook.plaintext = true for networks of webhook.allow, write plaintext = true and allow = [\"10.1.0.0/16\"] below [webhook] in forewarn.toml, with the receiver's network in place of 10.1.0.0/16",
    ),
    (
        "https://hooks.example.org/x",
        "http://127.0.0.1:9000/x?token=canary-7f3a91",
        "contacts.csv:3: has a webhook without TLS, expected https://, or webhook.plaintext = true for networks of webhook.allow, write plaintext = true and allow = [\"127.0.0.1/32\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks.example.org/x",
        "https://0x7f.1/x",
        "contacts.csv:3: has a webhook at a loopback address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"127.0.0.1/32\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks.example.org/x",
        "https://[fd00::7]/x",
        "contacts.csv:3: has a webhook at a private address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"fd00::7/128\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks.example.org/x",
        "https://localhost/x",
        "contacts.csv:3: has a webhook at a loopback address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"127.0.0.1/32\", \"::1/128\"] below [webhook] in forewarn.toml",
    ),
    (
        "https://hooks",
        "https://u:canary-7f3a91@hooks",
        "contacts.csv:3: webhook is not a plain web address, expected an address such as https://hooks.example.org/forewarn, without user, password or # in it",
    ),
    (
        "https://hooks",
        "ftp://hooks",
        "contacts.csv:3: webhook is not a plain web address, expected an address such as https://hooks.example.org/forewarn, without user, password or # in it",
    ),
    (
        "basin,zh",
        "basn,zh",
        "contacts.csv:3: area \"basn\" is not in areas.geojson, expected the id of an area, did you mean \"basin\"?",
    ),
    ("basin,zh", "basin,de", "contacts.csv:3: language is \"de\", expected zh or en"),
    (
        "/x,,,",
        "/x,purple,,",
        "contacts.csv:3: min_level is \"purple\", expected one of blue, yellow, orange, red",
    ),
    (
        "/x,,,",
        "/x,,,t-9",
        "contacts.csv:3: has one target_id for several addresses, expected a contact with one address, make several contacts of it, or leave target_id empty",
    ),
    (
        "duty;mayor",
        "dtuy;mayor",
        "routes.toml:4: no contact has role \"duty\", so this route goes to nobody, expected one of dtuy, it, mayor, did you mean \"dtuy\", or is it misspelt in contacts.csv?",
    ),
    (
        "duty;mayor",
        "du ty;mayor",
        "contacts.csv:3: roles has \"du ty\", expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "duty;mayor,basin,zh,duty@example.org,https://hooks.example.org/x,,,\n",
        "duty,basin,zh,duty@example.org,https://hooks.example.org/x,,,\nnight,Night,duti,basin,zh,n@example.org,,,,\n",
        "contacts.csv: warning: no route leads to night by email, so nothing is ever told there, check roles, area, min_level and hours, and to and via in routes.toml\ncontacts.csv:4: warning: no route goes to role \"duti\", did you mean \"duty\"?",
    ),
    (
        "language,email,webhook",
        "language,webhook",
        "contacts.csv:2: has 10 values, the header 9, expected as many values as the header, does the header lack a column? a value with the delimiter in it must be quoted\n\
         contacts.csv:3: has 10 values, the header 9, expected as many values as the header, does the header lack a column? a value with the delimiter in it must be quoted",
    ),
    ("duty,Duty", "it,Duty", "contacts.csv:3: contact \"it\" stands twice, expected each id once"),
    (
        "it@example.org,,,,",
        "it@example.org,,,,t-1",
        "contacts.csv:3: target_id \"t-1\" is another contact's, expected each target_id once",
    ),
];

#[test]
fn each_slip_in_the_contacts_is_told_with_its_line() {
    check("contacts.csv", FAULTS);
}

/// A local part in quotation marks may hold anything, the end of a line too.
#[test]
fn abuse_29_address_with_a_quoted_local_part() {
    check(
        "contacts.csv",
        &[
            (
                "it@example.org",
                "\"\"\"it\"\"@example.org\"",
                "contacts.csv:2: email is not a mail address, expected an address such as duty@example.org, without quotation marks or spaces",
            ),
            (
                "it@example.org",
                "\"\"\"a\r\nBcc: v@x\"\"@example.org\"",
                "contacts.csv:2: has a value of several lines, expected one line a value, is a quotation mark left open?",
            ),
        ],
    );
}

#[test]
fn an_address_that_no_route_leads_to_is_told() {
    check(
        "contacts.csv",
        &[
            (
                "duty,Duty",
                "chief,Chief,mayor,basin,zh,chief@example.org,,,,\nduty,Duty",
                "contacts.csv: warning: no route leads to chief by email, so nothing is ever told there, check roles, area, min_level and hours, and to and via in routes.toml",
            ),
            ("it@example.org,,", "it@example.org,https://hooks.example.org/it,", ""),
        ],
    );
}
