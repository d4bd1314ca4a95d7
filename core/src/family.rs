//! One macro for every family: a folder whose `mod.rs` holds a trait and this
//! registration, and whose other files hold one member each.

/// Declares a closed family: the enum of its members, their names, and
/// dispatch to the trait they share.
///
/// Each line reads `Variant("name", path::Type),`. It yields the enum, `KINDS`
/// (every name with its example, in manual order), `name()`, `as_dyn()`, and
/// `read(kind, deserializer)`, which reads the member called `kind`. Every
/// member type needs `EXAMPLE`, `serde::Deserialize` and the trait.
#[macro_export]
macro_rules! family {
    (
        $(#[$meta:meta])*
        pub enum $any:ident: $trait:path {
            $( $(#[$variant_meta:meta])* $variant:ident($name:literal, $(#[$field_meta:meta])* $member:ty) ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        pub enum $any {
            $(
                $(#[$variant_meta])*
                #[doc = concat!("The member called `", $name, "`.")]
                $variant($(#[$field_meta])* $member),
            )+
        }

        impl $any {
            /// Every member's name with an example of its configuration.
            pub const KINDS: &'static [(&'static str, &'static str)] =
                &[$(($name, <$member>::EXAMPLE)),+];

            /// The name that configuration gives this member.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $name, )+ }
            }

            /// The member behind the trait that the family shares.
            pub fn as_dyn(&self) -> &dyn $trait {
                match self { $( Self::$variant(member) => member, )+ }
            }

            /// Reads the member called `kind`; `None` when no member has that name.
            pub fn read<'de, D: ::serde::Deserializer<'de>>(
                kind: &str,
                deserializer: D,
            ) -> Option<Result<Self, D::Error>> {
                match kind {
                    $( $name => Some(
                        <$member as ::serde::Deserialize>::deserialize(deserializer).map(Self::$variant)
                    ), )+
                    _ => None,
                }
            }
        }
    };
}
