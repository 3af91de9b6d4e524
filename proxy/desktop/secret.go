package desktop

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a credential that no log, error or format verb shows.
type Secret string

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, so that JSON and YAML show nothing either.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
