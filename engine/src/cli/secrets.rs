//! Where secrets come from: the environment, or a hidden prompt.

use crate::executor::Announcer;
use crate::model::ScopePath;
use crate::script::SecretSource;

/// Secrets from `RUNBOOK_SECRET_NAME`, else asked for at the terminal.
pub struct SecretsOfUser {
    /// Whether a person can be asked.
    pub interactive: bool,
    /// Keeps the terminal free for the prompt.
    pub announcer: Announcer,
}

impl SecretSource for SecretsOfUser {
    fn secret(&self, name: &str) -> Result<String, String> {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain {
            return Err(format!(
                "{name:?} is not the name of a secret: letters, digits and underscores"
            ));
        }
        let variable = format!("RUNBOOK_SECRET_{name}");
        match std::env::var(&variable) {
            Ok(value) if !value.is_empty() => return Ok(value),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(format!("{variable} is not UTF-8 text"));
            }
            _ => {}
        }
        if !self.interactive {
            return Err(format!("the secret {name} is not given; set {variable}"));
        }
        let text = format!("Secret {name}:");
        let prompt = || {
            inquire::Password::new(&text)
                .without_confirmation()
                .prompt()
        };
        self.announcer
            .asking(&ScopePath::default(), &text, prompt)
            .map_err(|error| format!("the secret {name} was not given: {error}"))
    }
}
