//! What a stored value looks like, decided on the server: only how many look like what comes back.

use crate::probe::dialect::Dialect;

/// Kinds of values, each row counted under the first that fits; what fits none is `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// `eyJ` and two dots: a signed JSON Web Token.
    Jwt,
    Uuid,
    /// Hexadecimal digits, as many as a hash has.
    HexHash,
    /// A password hash in crypt or PHC format, such as `$argon2id$` or `$2b$`.
    PasswordHash,
    /// The mark of a library's encrypted value, or an encrypted JSON Web Token.
    Encrypted,
    Other,
}

/// All but [`Shape::Other`], in the order in which they are tried.
pub(crate) const SHAPES: [Shape; 5] = [Shape::Jwt, Shape::Uuid, Shape::HexHash, Shape::PasswordHash, Shape::Encrypted];

/// Digits of MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512.
const HASHES: &str = "32, 40, 56, 64, 96, 128";

impl Shape {
    pub fn word(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Uuid => "uuid",
            Self::HexHash => "hex-hash",
            Self::PasswordHash => "password-hash",
            Self::Encrypted => "encrypted",
            Self::Other => "other",
        }
    }

    /// Whether a text has this shape.
    ///
    /// Encrypted values: Fernet tokens begin with `gAAAAA`
    /// (its specification: version 0x80, then a timestamp), those of OpenSSL and `CryptoJS` with `Salted__` in Base64, those of `HashiCorp`
    /// Vault with `vault:v1:`; JSON Web Encryption has five parts.
    pub(crate) fn test(self, dialect: Dialect, text: &str) -> String {
        let pattern = match self {
            Self::Jwt => "^eyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]*$",
            Self::Uuid => "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
            Self::HexHash => "^[0-9a-fA-F]+$",
            Self::PasswordHash => "^[$](argon2(id|i|d)|2[abxy]?|scrypt|pbkdf2[-a-z0-9]*|1|5|6|7|y)[$]",
            Self::Encrypted => {
                "^(gAAAAA|U2FsdGVkX1|vault:v[0-9]+:|enc[:(]|ENC[[(:]|eyJ[A-Za-z0-9_-]+([.][A-Za-z0-9_-]*){4}$|[0-9a-f]{24,32}:[0-9a-f]+)"
            }
            Self::Other => "^",
        };
        dialect.matches(text, pattern).map_or_else(
            || self.glob(text),
            |matches| match self.gate(text) {
                // Most values fail a test that costs a server next to nothing; a pattern costs it microseconds.
                Some(gate) => format!("({gate} AND {matches})"),
                None => matches,
            },
        )
    }

    /// What every value of this shape passes.
    fn gate(self, text: &str) -> Option<String> {
        let starts = |marks: &[&str]| {
            let tests: Vec<String> = marks.iter().map(|mark| format!("{text} LIKE '{mark}%'")).collect();
            tests.join(" OR ")
        };
        Some(match self {
            Self::Jwt => starts(&["eyJ"]),
            Self::Uuid => format!("length({text}) = 36"),
            Self::HexHash => format!("length({text}) IN ({HASHES})"),
            Self::PasswordHash => starts(&["$"]),
            Self::Encrypted => format!("({})", starts(&["gAAAAA", "U2FsdGVkX1", "enc", "ENC", "eyJ", "%:"])),
            Self::Other => return None,
        })
    }

    /// The same for SQLite, which has `GLOB` alone.
    fn glob(self, text: &str) -> String {
        let starts = |marks: &[&str]| {
            let tests: Vec<String> = marks.iter().map(|mark| format!("{text} GLOB '{mark}*'")).collect();
            format!("({})", tests.join(" OR "))
        };
        match self {
            Self::Jwt => format!(
                "({text} GLOB 'eyJ*.*.*' AND {text} NOT GLOB '*.*.*.*' AND {text} NOT GLOB '*[^-A-Za-z0-9_.]*')"
            ),
            Self::Uuid => format!(
                "(length({text}) = 36 AND {text} GLOB '????????-????-????-????-????????????' AND {text} NOT GLOB '*[^-0-9a-fA-F]*')"
            ),
            Self::HexHash => {
                format!("(length({text}) IN ({HASHES}) AND {text} NOT GLOB '*[^0-9a-fA-F]*')")
            }
            Self::PasswordHash => starts(&["$argon2", "$2[abxy]$", "$2$", "$scrypt$", "$pbkdf2", "$[1567y]$"]),
            Self::Encrypted => starts(&["gAAAAA", "U2FsdGVkX1", "vault:v[0-9]", "enc[:(]", "ENC[[(:]", "eyJ*.*.*.*."]),
            Self::Other => "1".to_owned(),
        }
    }
}

/// Types whose values all have characters, and most of which no server compares with `''`: as databases and as languages name them.
const NEVER_EMPTY: &[&str] = &[
    "uuid",
    "json",
    "jsonb",
    "enum",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "tinyint",
    "smallint",
    "mediumint",
    "bigint",
    "serial",
    "bigserial",
    "decimal",
    "numeric",
    "number",
    "float",
    "float4",
    "float8",
    "real",
    "double",
    "money",
    "bool",
    "boolean",
    "bit",
    "date",
    "datetime",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "year",
    "i8",
    "i16",
    "i32",
    "i64",
    "u8",
    "u16",
    "u32",
    "u64",
    "f32",
    "f64",
    "naivedate",
    "naivedatetime",
    "offsetdatetime",
    "primitivedatetime",
    "ipnetwork",
];

/// Whether `''` can stand in a column of such a type, and be compared with it: no number, no UUID and no array is empty.
pub(crate) fn can_be_empty(kind: &str) -> bool {
    let kind = kind.to_lowercase();
    let mut words = kind.split(|c: char| !c.is_alphanumeric());
    !kind.contains("[]") && !words.any(|word| NEVER_EMPTY.contains(&word))
}

/// Whether a signed token's `exp` has passed; `None` where the server cannot take a token apart.
///
/// Nothing in it raises an error, whatever the value: the payload is decoded only where it is Base64, and searched as text.
pub(crate) fn is_expired(dialect: Dialect, text: &str) -> Option<String> {
    match dialect {
        Dialect::Postgres { .. } => {
            let payload = format!("translate(split_part({text}, '.', 2), '-_', '+/')");
            let padded = format!("rpad({payload}, (length({payload}) + 3) / 4 * 4, '=')");
            let claim =
                format!("substring(encode(decode({padded}, 'base64'), 'escape') from '\"exp\" *: *([0-9]{{9,11}})')");
            // One character more than whole groups of four is no Base64.
            let decodes = format!("length({payload}) % 4 <> 1");
            Some(format!("CASE WHEN {decodes} THEN CAST({claim} AS bigint) < extract(epoch FROM now()) END"))
        }
        Dialect::Mysql { .. } => {
            let payload = format!(
                "REPLACE(REPLACE(SUBSTRING_INDEX(SUBSTRING_INDEX({text}, '.', 2), '.', -1), '-', '+'), '_', '/')"
            );
            let padded = format!("RPAD({payload}, CEIL(CHAR_LENGTH({payload}) / 4) * 4, '=')");
            let found =
                format!("REGEXP_SUBSTR(CONVERT(FROM_BASE64({padded}) USING latin1), '\"exp\" *: *[0-9]{{9,11}}')");
            let claim = format!("CAST(NULLIF(SUBSTRING_INDEX({found}, ':', -1), '') AS UNSIGNED)");
            Some(format!("({claim} < UNIX_TIMESTAMP())"))
        }
        Dialect::Sqlite => None,
    }
}

#[cfg(test)]
mod tests {
    use super::can_be_empty;

    #[test]
    fn only_what_has_characters_can_lack_them() {
        for kind in
            ["text", "character varying", "varchar", "bytea", "String?", "string | null", "Option<String>", "citext"]
        {
            assert!(can_be_empty(kind), "{kind}");
        }
        for kind in [
            "uuid",
            "Uuid",
            "timestamp with time zone",
            "integer",
            "jsonb",
            "text[]",
            "Option<DateTime<Utc>>",
            "inet",
            "Int?",
        ] {
            assert!(!can_be_empty(kind), "{kind}");
        }
    }
}
