//! A red crossing, as a mail by a real SMTP server and as a webhook.
