package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// factors gives the caller what an operation on second factors is about, and adds it to out. They have none before.
func (m *matrix) factors(t *testing.T, r route, client *http.Client, out fields) {
	t.Helper()
	id := m.must(t, client, "GET", "/me", nil)["id"].(string)
	require.NoError(t, m.g.opened.factors.Reset(t.Context(), id))
	t.Cleanup(func() { require.NoError(t, m.g.opened.factors.Reset(context.Background(), id)) })
	switch r.id {
	case "confirmMyTOTP":
		out["body"] = m.code(t, m.must(t, client, "POST", "/me/factors/totp", nil))
	case "addMyPasskey":
		out["body"] = m.passkey(t, client, id)
	case "deleteMyTOTP", "newRecoveryCodes":
		m.proved(t, client)
	case "stepUp":
		out["body"] = fields{"recovery_code": m.proved(t, client)[1]}
	case "stepUpOptions", "deleteMyPasskey", "renameMyPasskey":
		m.proved(t, client)
		m.must(t, client, "POST", "/me/factors/passkeys", m.passkey(t, client, id))
		out["passkey"] = m.must(t, client, "GET", "/me/factors", nil)["passkeys"].([]any)[0].(fields)["id"]
		out["body"] = fields{"name": "Another name"}
	}
}

func (m *matrix) code(t *testing.T, key fields) fields {
	t.Helper()
	code, err := totp.GenerateCode(key["secret"].(string), time.Now())
	require.NoError(t, err)
	return fields{"code": code}
}

// proved enrols a generator, proves it, and returns the recovery codes that are left beside the first.
func (m *matrix) proved(t *testing.T, client *http.Client) []any {
	t.Helper()
	key := m.must(t, client, "POST", "/me/factors/totp", nil)
	codes := m.must(t, client, "POST", "/me/factors/totp/confirm", m.code(t, key))["recovery_codes"].([]any)
	m.must(t, client, "POST", "/me/step-up", fields{"recovery_code": codes[0]})
	return codes
}

// passkey is the body that enrols a passkey which the caller has begun to make.
func (m *matrix) passkey(t *testing.T, client *http.Client, user string) fields {
	t.Helper()
	options, err := json.Marshal(m.must(t, client, "POST", "/me/factors/passkeys/options", nil)["options"])
	require.NoError(t, err)
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	require.NoError(t, err)
	answer := virtualwebauthn.CreateAttestationResponse(
		virtualwebauthn.RelyingParty{ID: "localhost", Name: "Vitrine", Origin: m.g.opened.passkeys},
		virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(user)}),
		virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2), *o)
	return fields{"name": "Key", "credential": json.RawMessage(answer)}
}
