package credssp

import (
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// credTypePassword is the credType of TSPasswordCreds ([MS-CSSP] 2.2.1.2).
const credTypePassword = 1

// DecodeTSCredentials decodes TSCredentials ([MS-CSSP] 2.2.1.2) with a password; smart cards and Remote Guard are
// refused. In Restricted Admin mode all is empty.
func DecodeTSCredentials(b []byte) (Credentials, error) {
	r := der.NewReader("TSCredentials", b)
	s := r.Enter(der.Sequence)
	_ = r.End()
	kind := s.Int(der.Context(0))
	content := s.Wrapped(der.Context(1), der.OctetString)
	if s.Err() == nil && kind != credTypePassword {
		_ = s.Refuse("credType %d, want %d", kind, credTypePassword)
	}
	if err := s.End(); err != nil {
		return Credentials{}, err
	}
	r = der.NewReader("TSPasswordCreds", content)
	s = r.Enter(der.Sequence)
	_ = r.End()
	text := func(n int) string {
		field := s.Wrapped(der.Context(n), der.OctetString)
		if len(field) > maxFieldBytes {
			_ = s.Refuse("a field of %d bytes exceeds %d", len(field), maxFieldBytes)
			return ""
		}
		return wire.UTF16(field)
	}
	c := Credentials{Domain: text(0), Username: text(1), Password: desktop.Secret(text(2))}
	if err := s.End(); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

// Append appends the credentials as TSCredentials with TSPasswordCreds ([MS-CSSP] 2.2.1.2.1).
func (c Credentials) Append(b []byte) []byte {
	text := func(n int, s string) []byte {
		return der.Wrap(der.Context(n), der.OctetString, wire.AppendUTF16(nil, s))
	}
	password := der.Element(der.Sequence, text(0, c.Domain), text(1, c.Username), text(2, string(c.Password)))
	return der.Append(b, der.Sequence,
		der.Int(der.Context(0), credTypePassword), der.Wrap(der.Context(1), der.OctetString, password))
}
