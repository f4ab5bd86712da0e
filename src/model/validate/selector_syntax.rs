//! Whether a text is a selector, without building its tree
//! (`libcalico-go/lib/selector/tokenizer/tokenizer.go:74-298`, v3.32.1).

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// byte offset in the text
    pub offset: usize,
    /// what is wrong there
    pub message: &'static str,
}

/// Checks a whole selector. Parentheses are counted, not recursed into.
pub fn check(text: &str) -> Result<(), Error> {
    let mut scan = Scan { text, at: 0 };
    scan.blanks();
    if scan.rest().is_empty() {
        return Ok(());
    }
    let mut open = 0_usize;
    loop {
        while scan.take("!") {
            scan.blanks();
        }
        if scan.take("(") {
            open += 1;
            scan.blanks();
            continue;
        }
        scan.operand()?;
        scan.blanks();
        while open > 0 && scan.take(")") {
            open -= 1;
            scan.blanks();
        }
        if scan.take("&&") || scan.take("||") {
            scan.blanks();
        } else if scan.rest().is_empty() {
            return if open == 0 { Ok(()) } else { Err(scan.error("a `)` is missing")) };
        } else {
            return Err(scan.error("`&&`, `||` or the end was expected"));
        }
    }
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn error(&self, message: &'static str) -> Error {
        Error { offset: self.at, message }
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A word that does not go on as an identifier.
    fn word(&mut self, words: &[&str]) -> bool {
        let start = self.at;
        for word in words {
            if !self.take(word) {
                self.at = start;
                return false;
            }
            if words.len() > 1 {
                self.blanks();
            }
        }
        if self.rest().bytes().next().is_some_and(is_identifier) {
            self.at = start;
            return false;
        }
        true
    }

    fn operand(&mut self) -> Result<(), Error> {
        for (call, takes_label) in [("has(", true), ("all(", false), ("global(", false)] {
            if self.take(call) {
                self.blanks();
                if takes_label {
                    self.identifier()?;
                    self.blanks();
                }
                return if self.take(")") { Ok(()) } else { Err(self.error("`)` was expected")) };
            }
        }
        self.identifier()?;
        self.blanks();
        if self.take("==")
            || self.take("!=")
            || self.word(&["contains"])
            || self.word(&["starts", "with"])
            || self.word(&["ends", "with"])
        {
            self.blanks();
            return self.string();
        }
        if self.word(&["not", "in"]) || self.word(&["in"]) {
            self.blanks();
            return self.set();
        }
        Err(self.error("an operator (`==`, `!=`, `in`, …) was expected after the label"))
    }

    fn identifier(&mut self) -> Result<(), Error> {
        let length = self.rest().bytes().take_while(|&b| is_identifier(b)).count();
        if length == 0 {
            return Err(self.error("a label, `has()`, `all()` or `(` was expected"));
        }
        if length > 512 {
            return Err(self.error("this label is longer than 512 characters"));
        }
        self.at += length;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Error> {
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return Err(self.error("a text in quotes was expected"));
        };
        match self.rest()[1..].find(quote) {
            Some(length) => {
                self.at += length + 2;
                Ok(())
            }
            None => Err(self.error("this quote is never closed")),
        }
    }

    fn set(&mut self) -> Result<(), Error> {
        if !self.take("{") {
            return Err(self.error("`{` was expected"));
        }
        loop {
            self.blanks();
            if self.take("}") {
                return Ok(());
            }
            self.string()?;
            self.blanks();
            if !self.take(",") {
                return if self.take("}") { Ok(()) } else { Err(self.error("`,` or `}` was expected")) };
            }
        }
    }
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        for text in [
            "",
            " \t",
            "all()",
            "! (has( a ) && b=='x')||c in {'a',\"b\",}",
            "a notin {}",
            "a starts with 'x' && b endswith 'y'",
            "all( )",
            "!!has(app)",
            "contains contains 'x'",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "app = 'x'",
            "app == x",
            "a == 'b'\n",
            "a == 'b' ||\nc == 'd'",
            "(a == 'b'",
            "a == 'b')",
            "a",
            "a in ['b']",
            "has (a)",
            "a == 'b' &&",
            "a == 'b",
            "a inx {'b'}",
            "()",
            "a & b",
            "é == 'x'",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert_eq!(check("app = 'x'").unwrap_err().offset, 4);
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}all(){}", "(".repeat(200_000), ")".repeat(200_000));
        assert_eq!(check(&deep), Ok(()));
    }
}
