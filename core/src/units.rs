//! Units of measurement and datums: what a number means before it is compared.

use std::fmt;

use minicbor::{Decode, Encode};

/// What a level is measured from, by name: `1985-national`, `MLLW`, `gauge-zero`.
/// Two levels compare only when their datums are the same name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Datum(#[n(0)] pub String);

/// A unit: a base, or a base per hour for rates and trends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Unit {
    /// The unit itself.
    #[n(0)]
    pub base: Base,
    /// Whether it is per hour.
    #[n(1)]
    pub per_hour: bool,
}

/// What kind of thing a unit measures; units convert within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Metres.
    Length,
    /// Kelvins.
    Temperature,
    /// Metres a second.
    Speed,
    /// Pascals.
    Pressure,
    /// Cubic metres a second.
    Flow,
    /// Parts of one.
    Ratio,
    /// Kilograms a cubic metre.
    Concentration,
    /// Metres a second squared.
    Acceleration,
    /// Degrees of angle.
    Angle,
    /// Volts.
    Voltage,
    /// A bare number, an index.
    Number,
}

macro_rules! bases {
    ($($(#[$meta:meta])* $n:literal $variant:ident $symbol:literal $dimension:ident $factor:literal $zero:literal $also:expr;)+) => {
        /// A unit that is not a rate of another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
        pub enum Base {
            $($(#[$meta])* #[n($n)] $variant),+
        }

        impl Base {
            const ALL: &'static [Base] = &[$(Base::$variant),+];

            /// How it is written.
            pub const fn symbol(self) -> &'static str {
                match self { $(Base::$variant => $symbol),+ }
            }

            /// What it measures.
            pub const fn dimension(self) -> Dimension {
                match self { $(Base::$variant => Dimension::$dimension),+ }
            }

            /// `value * factor + zero` is the value in the dimension's own unit.
            const fn to_own(self) -> (f64, f64) {
                match self { $(Base::$variant => ($factor, $zero)),+ }
            }

            const fn also(self) -> &'static [&'static str] {
                match self { $(Base::$variant => &$also),+ }
            }
        }
    };
}

bases! {
    /// Metre.
    0 Metre "m" Length 1.0 0.0 ["meter", "metre"];
    /// Centimetre.
    1 Centimetre "cm" Length 0.01 0.0 [];
    /// Millimetre.
    2 Millimetre "mm" Length 0.001 0.0 [];
    /// Kilometre.
    3 Kilometre "km" Length 1000.0 0.0 [];
    /// International foot.
    4 Foot "ft" Length 0.3048 0.0 [];
    /// Inch.
    5 Inch "in" Length 0.0254 0.0 [];
    /// Degree Celsius.
    6 Celsius "°C" Temperature 1.0 273.15 ["Cel", "C", "degC"];
    /// Degree Fahrenheit.
    7 Fahrenheit "°F" Temperature 0.555_555_555_555_555_6 255.372_222_222_222_2 ["F", "degF"];
    /// Kelvin.
    8 Kelvin "K" Temperature 1.0 0.0 [];
    /// Metre a second.
    9 MetrePerSecond "m/s" Speed 1.0 0.0 [];
    /// Kilometre an hour.
    10 KilometrePerHour "km/h" Speed 0.277_777_777_777_777_8 0.0 ["kph"];
    /// Knot.
    11 Knot "kn" Speed 0.514_444_444_444_444_4 0.0 ["kt"];
    /// Pascal.
    12 Pascal "Pa" Pressure 1.0 0.0 [];
    /// Hectopascal.
    13 Hectopascal "hPa" Pressure 100.0 0.0 ["mbar"];
    /// Kilopascal.
    14 Kilopascal "kPa" Pressure 1000.0 0.0 [];
    /// Bar.
    15 Bar "bar" Pressure 100_000.0 0.0 [];
    /// Cubic metre a second.
    16 CubicMetrePerSecond "m3/s" Flow 1.0 0.0 ["m³/s", "cumec"];
    /// Litre a second.
    17 LitrePerSecond "l/s" Flow 0.001 0.0 ["L/s"];
    /// Percent.
    18 Percent "%" Ratio 0.01 0.0 ["%RH", "percent"];
    /// Parts of one.
    19 Part "/" Ratio 1.0 0.0 ["fraction"];
    /// Parts of a million.
    20 PartPerMillion "ppm" Ratio 0.000_001 0.0 [];
    /// Microgram a cubic metre.
    21 MicrogramPerCubicMetre "ug/m3" Concentration 0.000_000_001 0.0 ["µg/m³", "μg/m³", "ug/m³"];
    /// Milligram a cubic metre.
    22 MilligramPerCubicMetre "mg/m3" Concentration 0.000_001 0.0 ["mg/m³"];
    /// Metre a second squared.
    23 MetrePerSecondSquared "m/s2" Acceleration 1.0 0.0 ["m/s²"];
    /// Gal, a centimetre a second squared.
    24 Gal "gal" Acceleration 0.01 0.0 ["Gal"];
    /// Standard gravity.
    25 Gravity "g0" Acceleration 9.806_65 0.0 [];
    /// Degree of angle.
    26 Degree "deg" Angle 1.0 0.0 ["°"];
    /// Microradian.
    27 Microradian "urad" Angle 0.000_057_295_779_513_082_32 0.0 ["µrad"];
    /// Volt.
    28 Volt "V" Voltage 1.0 0.0 [];
    /// Millivolt.
    29 Millivolt "mV" Voltage 0.001 0.0 [];
    /// A bare number.
    30 Number "1" Number 1.0 0.0 ["", "count", "index"];
}

impl Unit {
    /// Reads a symbol such as `m`, `mm/h`, `°C` or `SenML`'s `Cel`.
    pub fn parse(text: &str) -> Option<Unit> {
        let text = text.trim();
        let base = |text: &str| {
            Base::ALL.iter().copied().find(|base| base.symbol() == text || base.also().contains(&text))
        };
        if let Some(base) = base(text) {
            return Some(Unit { base, per_hour: false });
        }
        Some(Unit { base: base(text.strip_suffix("/h")?)?, per_hour: true })
    }

    /// The rate of change of a value in this unit; a rate has none here.
    pub fn per_hour(self) -> Option<Unit> {
        (!self.per_hour).then_some(Unit { per_hour: true, ..self })
    }

    /// Scale and offset from a value in this unit to one in `to`; `None` when
    /// they measure different things. The offset of a rate is nothing.
    pub fn convert(self, to: Unit) -> Option<(f64, f64)> {
        if self.base.dimension() != to.base.dimension() || self.per_hour != to.per_hour {
            return None;
        }
        if self == to {
            return Some((1.0, 0.0));
        }
        let ((from_factor, from_zero), (to_factor, to_zero)) = (self.base.to_own(), to.base.to_own());
        let offset = if self.per_hour { 0.0 } else { (from_zero - to_zero) / to_factor };
        Some((from_factor / to_factor, offset))
    }

    /// Every symbol that [`Unit::parse`] reads, for hints.
    pub fn symbols() -> impl Iterator<Item = &'static str> {
        Base::ALL.iter().map(|base| base.symbol())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.per_hour { write!(f, "{}/h", self.base.symbol()) } else { f.write_str(self.base.symbol()) }
    }
}

/// A number with its unit, as people write it: `0.10 m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
}

impl Amount {
    /// Reads `"4.2 m"`, `"0.3 m/h"`; the space is optional.
    pub fn parse(text: &str) -> Option<Amount> {
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))?;
        let value: f64 = text[..split].parse().ok()?;
        Some(Amount { value, unit: Unit::parse(&text[split..])? })
    }

    /// The number in another unit.
    pub fn in_unit(self, to: Unit) -> Option<f64> {
        let (scale, offset) = self.unit.convert(to)?;
        Some(self.value * scale + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(amount: &str, to: &str) -> Option<f64> {
        Amount::parse(amount).expect(amount).in_unit(Unit::parse(to).expect(to))
    }

    #[test]
    fn units_convert_within_their_dimension_only() {
        for (amount, to, expected) in [
            ("1200 mm", "m", 1.2),
            ("7 ft", "m", 2.1336),
            ("20 °C", "K", 293.15),
            ("212 °F", "°C", 100.0),
            ("500 mm/h", "m/h", 0.5),
            ("36 km/h", "m/s", 10.0),
            ("50 %", "/", 0.5),
        ] {
            let got = convert(amount, to).expect(amount);
            assert!((got - expected).abs() < 1e-9, "{amount} in {to}: {got}");
        }
        assert_eq!(convert("1 m", "°C"), None);
        assert_eq!(convert("1 m", "m/h"), None);
    }

    #[test]
    fn every_symbol_reads_back() {
        for symbol in Unit::symbols() {
            assert_eq!(Unit::parse(symbol).expect(symbol).to_string(), symbol);
        }
    }
}
