//! Value added tax numbers without their country in front: a word that names the country or its own name for the tax must be near.
//!
//! What a reader could get wrong: one number in ten has a valid check digit, so the word `vat` alone is not enough here; see `vat` for the checks.

use super::algorithm::is_uniform;
use super::vat::{austrian, british, italian, lithuanian, national, norwegian, romanian, swiss};
use super::{Identifier, Number};
use crate::pii::entity::Entity;

/// A row of this table; all are alike but for these.
const fn row(
    forms: &'static [&'static str],
    valid: fn(&Number<'_>) -> bool,
    context: &'static [&'static str],
) -> Identifier {
    Identifier { entity: Entity::VAT_ID, forms, valid, context, alone: 0.0, near: 0.9 }
}

pub(super) static ROWS: &[Identifier] = &[
    row(
        &["#A99999999"],
        |number| number.compact.first() == Some(&b'U') && number.compact.get(1..).is_some_and(austrian),
        &["uid", "uid-nummer", "österreichische", "austrian vat", "austrian", "ust-id"],
    ),
    row(
        &["#10", "#9"],
        |number| national("BE", number.compact),
        &[
            "btw",
            "tva",
            "ondernemingsnummer",
            "numéro d'entreprise",
            "nwst",
            "unternehmensnummer",
            "belgian",
            "belge",
            "belgische",
            "kbo",
            "bce",
        ],
    ),
    row(
        &["#9", "#10"],
        |number| national("BG", number.compact) && !is_uniform(number),
        &["ддс", "булстат", "еик", "eik", "bulgarian vat", "bulgarische umsatzsteuer", "tva bulgare", "iva búlgaro"],
    ),
    row(
        &["#9", "#9999999999AA"],
        |number| swiss(number.compact),
        &["uid-nummer", "unternehmens-identifikation", "swiss business", "swiss vat", "schweizer mwst"],
    ),
    row(&["999.999.999"], |number| swiss(number.compact), &["uid", "mwst", "tva", "iva"]),
    row(
        &["#8", "#9", "#10"],
        |number| national("CZ", number.compact),
        &["dič", "daňové identifikační", "czech vat", "czech tax", "tschechische", "ičo", "dph"],
    ),
    row(
        &["#9"],
        |number| national("DE", number.compact),
        &["ust-id", "ust id", "ustid", "ust.-id", "umsatzsteuer", "german vat", "tva allemand", "iva alemán"],
    ),
    row(
        &["#8"],
        |number| national("DK", number.compact),
        &["cvr", "cvr-nr", "momsregistrering", "se-nr", "danish vat", "danish", "dansk", "dänische", "danois", "danés"],
    ),
    row(
        &["#9"],
        |number| national("EE", number.compact),
        &["kmkr", "käibemaksu", "estonian vat", "eston", "estnische", "eesti"],
    ),
    row(
        &["#8"],
        |number| national("FI", number.compact),
        &[
            "alv",
            "alv-numero",
            "alv nro",
            "y-tunnus",
            "ytunnus",
            "arvonlisävero",
            "finnish vat",
            "finnish business",
            "finnische",
            "finlandais",
            "finlandés",
        ],
    ),
    row(
        &["#XX999999999"],
        |number| national("FR", number.compact),
        &[
            "tva",
            "taxe sur la valeur",
            "intracommunautaire",
            "french vat",
            "french",
            "monac",
            "français",
            "französische",
            "francés",
        ],
    ),
    row(
        &["#9", "#12", "#AA999"],
        |number| british(number.compact),
        &["@vat", "uk vat", "british vat", "united kingdom", "british", "britische", "britannique", "británico"],
    ),
    row(
        &["#8", "99999999-9-99"],
        |number| national("HU", number.compact.get(..8).unwrap_or_default()),
        &[
            "adószám",
            "közösségi adószám",
            "anum",
            "áfa",
            "hungarian vat",
            "magyar",
            "hungar",
            "ungarische",
            "hongrois",
            "húngaro",
        ],
    ),
    row(
        &["#9999999A", "#9999999AA", "#9A99999A"],
        |number| national("IE", number.compact),
        &["@vat", "irish vat", "irish tax", "irische", "irlandais"],
    ),
    row(
        &["99999", "999999"],
        |number| !is_uniform(number),
        &["vsk", "vsk-númer", "virðisaukaskattsnúmer", "icelandic vat"],
    ),
    row(
        &["#11"],
        italian,
        &[
            "partita iva",
            "p.iva",
            "p. iva",
            "p.i.",
            "piva",
            "iva",
            "italian vat",
            "italian",
            "italienische",
            "italien",
            "italiano",
            "codice fiscale",
        ],
    ),
    row(
        &["#9", "#12"],
        lithuanian,
        &["pvm", "pridėtinės vertės", "lithuanian vat", "lithuanian", "lietuv", "litauische", "lituan"],
    ),
    row(&["#8"], |number| national("LU", number.compact), &["tva", "taxe sur la valeur", "luxemb", "matricule"]),
    row(
        &["#11"],
        |number| national("LV", number.compact),
        &["pvn", "pievienotās vērtības", "latvian vat", "latvian", "latvij", "lettische", "letton"],
    ),
    row(
        &["#8"],
        |number| national("MT", number.compact),
        &["@vat", "maltese", "malta", "malte", "maltesische", "maltais", "maltés"],
    ),
    row(
        &["#999999999A99", "#99999999A99", "#9999999A99"],
        |number| national("NL", number.compact),
        &[
            "btw",
            "btw-nummer",
            "btw-id",
            "omzetbelasting",
            "dutch vat",
            "dutch",
            "niederländische",
            "néerlandais",
            "neerland",
        ],
    ),
    row(
        &["#9", "#999999999AAA"],
        |number| {
            norwegian(number.compact.get(..9).unwrap_or_default())
                && matches!(number.compact.get(9..), Some(b"" | b"MVA"))
        },
        &[
            "mva",
            "merverdiavgift",
            "organisasjonsnummer",
            "orgnr",
            "norwegian vat",
            "norwegian",
            "norsk",
            "norwegisch",
            "norvégien",
        ],
    ),
    row(
        &["#2", "#3", "#4", "#5", "#6", "#7", "#8", "#9", "#10"],
        |number| romanian(number.compact),
        &[
            "cui",
            "c.u.i",
            "cod unic de înregistrare",
            "codul unic",
            "cod de înregistrare",
            "cod fiscal",
            "cf",
            "romanian vat",
            "romanian company",
        ],
    ),
    row(
        &["#12"],
        |number| national("SE", number.compact),
        &[
            "moms",
            "momsnr",
            "momsnummer",
            "mervärdesskatt",
            "vat-nummer",
            "swedish vat",
            "swedish",
            "schwedische",
            "suédois",
            "sueco",
        ],
    ),
    row(
        &["#8"],
        |number| national("SI", number.compact),
        &["ddv", "davčna številka", "davčna", "sloven", "slowenische", "slovène", "esloveno"],
    ),
    row(
        &["#10"],
        |number| national("SK", number.compact),
        &[
            "ič dph",
            "dič",
            "dph",
            "pridanej hodnoty",
            "slovak vat",
            "slovak",
            "slovensk",
            "slowakische",
            "slovaque",
            "eslovaco",
        ],
    ),
];

#[cfg(test)]
mod tests;
