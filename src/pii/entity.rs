//! The types of personal data and secrets: name, severity, and whether it is hidden unless the configuration says otherwise.
//!
//! What a reader could get wrong: an [`Entity`] is a place in this table, and types of the configuration (`pii.custom`) come behind the
//! built-in ones; names are Presidio's where it has one, so that operators can compare and migrate.

use serde::Serialize;

/// How bad it would be if this got out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[repr(u8)]
pub enum Severity {
    #[default]
    None = 0,
    /// Says who somebody is, or how to reach them.
    Personal = 1,
    /// Lets another act in their name, or is protected by law in particular.
    Sensitive = 2,
    /// Opens a door by itself: keys, tokens, passwords.
    Secret = 3,
}

/// A type of personal data: its place in the table of built-in types, or behind it among those of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(pub u16);

/// What is known of a built-in type.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// As in headers, metrics and placeholders.
    pub name: &'static str,
    pub severity: Severity,
    /// Hidden only where the configuration names it: a year or a nationality says nothing about anyone by itself, and without it many
    /// prompts make no sense.
    pub if_listed: bool,
}

macro_rules! entities {
    ($($id:ident $name:literal $severity:ident $($if_listed:ident)?,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "counts the table's rows")]
        #[repr(u16)]
        enum Place { $($id,)* Count }

        impl Entity {
            $(pub const $id: Entity = Entity(Place::$id as u16);)*
            /// How many built-in types there are.
            pub const BUILT_IN: u16 = Place::Count as u16;
        }

        /// The names of all built-in types.
        pub static NAMES: [&str; Place::Count as usize] = [$($name,)*];

        static TABLE: [About; Place::Count as usize] = [
            $(About { name: $name, severity: Severity::$severity, if_listed: entities!(@ $($if_listed)?) },)*
        ];
    };
    (@) => { false };
    (@ if_listed) => { true };
}

// A macro, because constant, name and row must not come apart.
entities! {
    // Names.
    PERSON "PERSON" Personal,
    LOCATION "LOCATION" Personal,
    ORGANIZATION "ORGANIZATION" Personal,
    NRP "NRP" Personal if_listed,
    TITLE "TITLE" Personal if_listed,
    // Where and when.
    STREET_ADDRESS "STREET_ADDRESS" Personal,
    ZIP_CODE "ZIP_CODE" Personal,
    DATE_TIME "DATE_TIME" Personal if_listed,
    DATE_OF_BIRTH "DATE_OF_BIRTH" Sensitive,
    AGE "AGE" Personal,
    // How to reach somebody, and their machines.
    EMAIL_ADDRESS "EMAIL_ADDRESS" Personal,
    PHONE_NUMBER "PHONE_NUMBER" Personal,
    IP_ADDRESS "IP_ADDRESS" Personal,
    MAC_ADDRESS "MAC_ADDRESS" Personal,
    IMEI "IMEI" Personal,
    VIN "VIN" Personal,
    LICENSE_PLATE "LICENSE_PLATE" Personal,
    // Money.
    CREDIT_CARD "CREDIT_CARD" Sensitive,
    IBAN_CODE "IBAN_CODE" Sensitive,
    US_BANK_NUMBER "US_BANK_NUMBER" Sensitive,
    ABA_ROUTING_NUMBER "ABA_ROUTING_NUMBER" Personal,
    SWIFT_CODE "SWIFT_CODE" Personal if_listed,
    CRYPTO "CRYPTO" Sensitive,
    ACCOUNT_NUMBER "ACCOUNT_NUMBER" Sensitive,
    // Health.
    MEDICAL_RECORD_NUMBER "MEDICAL_RECORD_NUMBER" Sensitive,
    MEDICAL_LICENSE "MEDICAL_LICENSE" Sensitive,
    // Documents of any country, by context.
    PASSPORT "PASSPORT" Sensitive,
    DRIVER_LICENSE "DRIVER_LICENSE" Sensitive,
    NATIONAL_ID "NATIONAL_ID" Sensitive,
    TAX_ID "TAX_ID" Sensitive,
    // Americas.
    US_SSN "US_SSN" Sensitive,
    US_ITIN "US_ITIN" Sensitive,
    US_EIN "US_EIN" Personal,
    US_NPI "US_NPI" Personal,
    US_MBI "US_MBI" Sensitive,
    US_PASSPORT "US_PASSPORT" Sensitive,
    US_DRIVER_LICENSE "US_DRIVER_LICENSE" Sensitive,
    CA_SIN "CA_SIN" Sensitive,
    CA_PHN "CA_PHN" Sensitive,
    BR_CPF "BR_CPF" Sensitive,
    BR_CNPJ "BR_CNPJ" Personal,
    MX_CURP "MX_CURP" Sensitive,
    MX_RFC "MX_RFC" Sensitive,
    AR_CUIT "AR_CUIT" Sensitive,
    AR_DNI "AR_DNI" Sensitive,
    AR_CBU "AR_CBU" Sensitive,
    CL_RUT "CL_RUT" Sensitive,
    CO_NIT "CO_NIT" Sensitive,
    PE_CUI "PE_CUI" Sensitive,
    EC_CI "EC_CI" Sensitive,
    UY_CI "UY_CI" Sensitive,
    // Europe.
    UK_NINO "UK_NINO" Sensitive,
    UK_NHS "UK_NHS" Sensitive,
    UK_UTR "UK_UTR" Sensitive,
    UK_PASSPORT "UK_PASSPORT" Sensitive,
    UK_DRIVING_LICENCE "UK_DRIVING_LICENCE" Sensitive,
    DE_TAX_ID "DE_TAX_ID" Sensitive,
    DE_ID_CARD "DE_ID_CARD" Sensitive,
    DE_PASSPORT "DE_PASSPORT" Sensitive,
    DE_SOCIAL_SECURITY "DE_SOCIAL_SECURITY" Sensitive,
    DE_HEALTH_INSURANCE "DE_HEALTH_INSURANCE" Sensitive,
    DE_TAX_NUMBER "DE_TAX_NUMBER" Sensitive,
    FR_NIR "FR_NIR" Sensitive,
    FR_NIF "FR_NIF" Sensitive,
    FR_CNI "FR_CNI" Sensitive,
    ES_NIF "ES_NIF" Sensitive,
    ES_NIE "ES_NIE" Sensitive,
    ES_PASSPORT "ES_PASSPORT" Sensitive,
    IT_FISCAL_CODE "IT_FISCAL_CODE" Sensitive,
    IT_DRIVER_LICENSE "IT_DRIVER_LICENSE" Sensitive,
    IT_PASSPORT "IT_PASSPORT" Sensitive,
    IT_IDENTITY_CARD "IT_IDENTITY_CARD" Sensitive,
    VAT_ID "VAT_ID" Personal,
    NL_BSN "NL_BSN" Sensitive,
    BE_NATIONAL_ID "BE_NATIONAL_ID" Sensitive,
    LU_NATIONAL_ID "LU_NATIONAL_ID" Sensitive,
    PL_PESEL "PL_PESEL" Sensitive,
    PL_NIP "PL_NIP" Personal,
    PL_ID_CARD "PL_ID_CARD" Sensitive,
    SE_PERSONNUMMER "SE_PERSONNUMMER" Sensitive,
    NO_FODSELSNUMMER "NO_FODSELSNUMMER" Sensitive,
    DK_CPR "DK_CPR" Sensitive,
    FI_PERSONAL_IDENTITY_CODE "FI_PERSONAL_IDENTITY_CODE" Sensitive,
    IS_KENNITALA "IS_KENNITALA" Sensitive,
    PT_NIF "PT_NIF" Sensitive,
    PT_CC "PT_CC" Sensitive,
    CH_AHV "CH_AHV" Sensitive,
    AT_SVNR "AT_SVNR" Sensitive,
    AT_TAX_ID "AT_TAX_ID" Sensitive,
    IE_PPS "IE_PPS" Sensitive,
    CZ_SK_RC "CZ_SK_RC" Sensitive,
    RO_CNP "RO_CNP" Sensitive,
    BG_EGN "BG_EGN" Sensitive,
    GR_AFM "GR_AFM" Sensitive,
    GR_AMKA "GR_AMKA" Sensitive,
    HU_TAX_ID "HU_TAX_ID" Sensitive,
    HR_OIB "HR_OIB" Sensitive,
    SI_EMSO "SI_EMSO" Sensitive,
    RS_JMBG "RS_JMBG" Sensitive,
    EE_IK "EE_IK" Sensitive,
    LT_ASMENS "LT_ASMENS" Sensitive,
    LV_PK "LV_PK" Sensitive,
    MT_ID "MT_ID" Sensitive,
    CY_TIC "CY_TIC" Sensitive,
    UA_RNTRC "UA_RNTRC" Sensitive,
    RU_INN "RU_INN" Sensitive,
    RU_SNILS "RU_SNILS" Sensitive,
    MD_IDNP "MD_IDNP" Sensitive,
    LI_PEID "LI_PEID" Sensitive,
    TR_NATIONAL_ID "TR_NATIONAL_ID" Sensitive,
    TR_VKN "TR_VKN" Sensitive,
    // Asia, Africa, Oceania.
    IN_AADHAAR "IN_AADHAAR" Sensitive,
    IN_PAN "IN_PAN" Sensitive,
    IN_VID "IN_VID" Sensitive,
    IN_GSTIN "IN_GSTIN" Personal,
    IN_VOTER "IN_VOTER" Sensitive,
    IN_PASSPORT "IN_PASSPORT" Sensitive,
    CN_RESIDENT_ID "CN_RESIDENT_ID" Sensitive,
    TW_ID "TW_ID" Sensitive,
    HK_ID "HK_ID" Sensitive,
    JP_MY_NUMBER "JP_MY_NUMBER" Sensitive,
    KR_RRN "KR_RRN" Sensitive,
    KR_PASSPORT "KR_PASSPORT" Sensitive,
    KR_DRIVER_LICENSE "KR_DRIVER_LICENSE" Sensitive,
    SG_NRIC_FIN "SG_NRIC_FIN" Sensitive,
    MY_NRIC "MY_NRIC" Sensitive,
    TH_TNIN "TH_TNIN" Sensitive,
    ID_NIK "ID_NIK" Sensitive,
    PH_TIN "PH_TIN" Sensitive,
    VN_CCCD "VN_CCCD" Sensitive,
    AU_TFN "AU_TFN" Sensitive,
    AU_ABN "AU_ABN" Personal,
    AU_ACN "AU_ACN" Personal,
    AU_MEDICARE "AU_MEDICARE" Sensitive,
    NZ_IRD "NZ_IRD" Sensitive,
    NZ_BANK_NUMBER "NZ_BANK_NUMBER" Sensitive,
    NZ_NHI "NZ_NHI" Sensitive,
    IL_ID "IL_ID" Sensitive,
    ZA_ID_NUMBER "ZA_ID_NUMBER" Sensitive,
    NG_NIN "NG_NIN" Sensitive,
    EG_NATIONAL_ID "EG_NATIONAL_ID" Sensitive,
    AE_EMIRATES_ID "AE_EMIRATES_ID" Sensitive,
    SA_NATIONAL_ID "SA_NATIONAL_ID" Sensitive,
    PK_CNIC "PK_CNIC" Sensitive,
    // What an analyzer calls by a name that is not in this table.
    OTHER_PII "OTHER_PII" Personal,
    // Secrets.
    PRIVATE_KEY "PRIVATE_KEY" Secret,
    JWT "JWT" Secret,
    API_KEY "API_KEY" Secret,
    PASSWORD "PASSWORD" Secret,
    URL_CREDENTIALS "URL_CREDENTIALS" Secret,
    SECRET "SECRET" Secret,
}

impl Entity {
    /// What is known of it; `None` for a type of the configuration.
    pub fn about(self) -> Option<&'static About> {
        TABLE.get(usize::from(self.0))
    }

    /// The built-in type of that name.
    pub fn named(name: &str) -> Option<Entity> {
        let place = TABLE.iter().position(|about| about.name == name)?;
        u16::try_from(place).ok().map(Entity)
    }

    /// All built-in types with their rows.
    pub fn all() -> impl Iterator<Item = (Entity, &'static About)> {
        (0..).map(Entity).zip(TABLE.iter())
    }
}
