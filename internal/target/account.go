package target

import (
	"fmt"
	"log/slog"
	"time"
)

// Account is somebody a session can sign in to a target as.
type Account struct {
	ID          string // ULID
	TargetID    string
	Name        string // unique on the target; what people, policies and the audit log call it
	Username    string // what the target calls it; empty where the target asks for none
	Domain      string // rdp; or within Username: DOMAIN\name, name@domain
	Description string
	Tags        []string // sorted

	Source    Source
	SetAt     time.Time // when Source, or what it seals, was set; zero: never
	Revision  int64     // counts changes; a change names the one it is of
	CreatedAt time.Time
	UpdatedAt time.Time
}

// DefaultAccount is the name of the one account of a target of the configuration file.
const DefaultAccount = "default"

// Kind is where the password of an account is.
type Kind string

// Where the password of an account is.
const (
	KindNone    Kind = "none"    // there is none: the target asks for none, or asks the person
	KindConfig  Kind = "config"  // in the configuration file
	KindStored  Kind = "stored"  // sealed in the database
	KindVault   Kind = "vault"   // in a HashiCorp Vault
	KindCommand Kind = "command" // a command of the configuration tells
)

// Source says where the password of an account is. It holds no secret. The zero value is KindNone.
type Source struct {
	Kind    Kind
	Vault   VaultReference   // KindVault
	Command CommandReference // KindCommand
}

// VaultReference is a secret in a vault of the configuration's credentials.vaults.
type VaultReference struct {
	Vault string `json:"vault"` // its name there
	Path  string `json:"path"`  // below the mount
	// UsernameField and PasswordField are the secret's fields; empty: username, which then may be missing, and password.
	UsernameField string `json:"username_field,omitempty"`
	PasswordField string `json:"password_field,omitempty"`
}

// CommandReference is something a command of the configuration's credentials.commands knows.
type CommandReference struct {
	Command   string `json:"command"` // its name there
	Reference string `json:"reference,omitempty"`
}

// Credential is what a session signs in with.
type Credential struct {
	Username string
	Domain   string
	Password Password
}

// Password is a secret that is never printed. Copies of a Password share its bytes.
type Password struct{ value []byte }

// NewPassword wraps value, which it keeps.
func NewPassword(value []byte) Password { return Password{value} }

// Reveal returns the bytes, for the one place that uses them.
func (p Password) Reveal() []byte { return p.value }

// Empty tells whether there is none.
func (p Password) Empty() bool { return len(p.value) == 0 }

// Wipe overwrites the bytes. What was made of them elsewhere, such as a string, stays.
func (p Password) Wipe() { clear(p.value) }

// String tells only whether there is a value.
func (p Password) String() string {
	if p.Empty() {
		return ""
	}
	return "[redacted]"
}

// Format implements fmt.Formatter, so that no verb reaches the value.
func (p Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.String())) }

// LogValue implements slog.LogValuer.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText implements encoding.TextMarshaler.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
