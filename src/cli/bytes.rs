//! Numbers of bytes for people.

/// `2GiB`, `800MB`, `1.5G` or a plain number of bytes; K, M, G and T alone are binary.
pub(super) fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1_048_576.0,
        "g" | "gib" => 1_073_741_824.0,
        "t" | "tib" => 1_099_511_627_776.0,
        _ => return Err(format!("expected a size such as 2GiB or 800MB, got the unit `{unit}`")),
    };
    let number: f64 = number.parse().map_err(|_not_a_number| "expected a size such as 2GiB or 800MB".to_owned())?;
    Ok((number * factor) as usize)
}

/// `1.25 GiB`.
pub(super) fn show_bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = if bytes < 1.0 { 0 } else { (bytes.log2() / 10.0) as usize }.min(units.len() - 1);
    let number = bytes / 1024f64.powi(power as i32);
    if power == 0 { format!("{number} B") } else { format!("{number:.2} {}", units[power]) }
}

/// `42.7 G`: with a decimal prefix.
pub(super) fn show_count(count: f64) -> String {
    let prefixes = ["", " k", " M", " G", " T", " P", " E"];
    let power = if count < 1000.0 { 0 } else { (count.log10() / 3.0) as usize }.min(prefixes.len() - 1);
    let number = count / 1000f64.powi(power as i32);
    if power == 0 { format!("{number:.0}") } else { format!("{number:.2}{}", prefixes[power]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(parse_bytes("2GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("1.5g"), Ok(3 << 29));
        assert_eq!(parse_bytes("800MB"), Ok(800_000_000));
        assert_eq!(parse_bytes("17"), Ok(17));
        assert!(parse_bytes("2 parsecs").is_err());
        assert!(parse_bytes("GiB").is_err());
        assert_eq!(show_bytes(0), "0 B");
        assert_eq!(show_bytes(3 << 29), "1.50 GiB");
        assert_eq!(show_count(42_749_000_000.0), "42.75 G");
        assert_eq!(show_count(999.0), "999");
    }
}
