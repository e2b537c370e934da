//! Listings, for people and for programs.

use std::fmt::Write as _;

/// What stands in one place of a listing.
#[derive(Debug)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    Number(u64),
    /// Of any number of digits behind the point.
    Seconds(f64),
    Flag(bool),
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Cell {
        cell.map_or(Cell::Nothing, Into::into)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Cell {
        Cell::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Cell {
        Cell::Number(number as u64)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Cell {
        Cell::Flag(flag)
    }
}

impl From<std::time::Duration> for Cell {
    fn from(time: std::time::Duration) -> Cell {
        Cell::Seconds(time.as_secs_f64())
    }
}

impl Cell {
    /// As people read it. What controls a terminal is escaped.
    fn text(&self) -> String {
        match self {
            Cell::Nothing => String::new(),
            Cell::Text(text) => text.chars().flat_map(plain).collect(),
            Cell::Number(number) => number.to_string(),
            Cell::Seconds(seconds) => format!("{seconds:.6}"),
            Cell::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        }
    }

    fn json(&self) -> String {
        match self {
            Cell::Nothing => "null".to_owned(),
            Cell::Text(text) => quoted(text),
            Cell::Number(number) => number.to_string(),
            Cell::Seconds(seconds) => format!("{seconds}"),
            Cell::Flag(flag) => flag.to_string(),
        }
    }
}

fn plain(letter: char) -> Vec<char> {
    if letter.is_control() { letter.escape_default().collect() } else { vec![letter] }
}

/// Returns a string as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        let _never = match letter {
            '"' | '\\' => write!(quoted, "\\{letter}"),
            letter if letter.is_control() => write!(quoted, "\\u{:04x}", letter as u32),
            letter => write!(quoted, "{letter}"),
        };
    }
    quoted + "\""
}

pub(super) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: &'static [&'static str]) -> Table {
        Table { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// A line of titles and one for each row, in columns.
    pub(super) fn text(&self) -> String {
        let titles = self.columns.iter().map(|title| (*title).to_owned()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(Cell::text).collect());
        let lines: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        let line = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
            cells.collect::<String>().trim_end().to_owned() + "\n"
        };
        lines.iter().map(line).collect()
    }

    /// An array of objects, in one line.
    pub(super) fn json(&self) -> String {
        let row = |row: &Vec<Cell>| {
            let fields = self.columns.iter().zip(row);
            let fields = fields.map(|(name, cell)| format!("{}:{}", quoted(name), cell.json()));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        };
        format!("[{}]\n", self.rows.iter().map(row).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["id", "name", "idle"]);
        table.row([7_u64.into(), "a\"\u{1b}[2J\\".into(), Duration::from_millis(1500).into()]);
        table.row([12345_u64.into(), Cell::Nothing, Cell::Nothing]);
        table
    }

    #[test]
    fn people_get_columns_and_no_control_characters() {
        let text = "id     name          idle\n\
                    7      a\"\\u{1b}[2J\\  1.500000\n\
                    12345\n";
        assert_eq!(table().text(), text);
    }

    #[test]
    fn programs_get_json() {
        let json = "[{\"id\":7,\"name\":\"a\\\"\\u001b[2J\\\\\",\"idle\":1.5},\
                    {\"id\":12345,\"name\":null,\"idle\":null}]\n";
        assert_eq!(table().json(), json);
        assert_eq!(Table::new(&["id"]).json(), "[]\n");
    }
}
