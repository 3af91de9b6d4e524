package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/sensitive"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/vaultapi"
)

// kvStore reads a KV store of version 2 of a HashiCorp Vault.
type kvStore struct {
	*vaultapi.Client
	mount string
}

func newKVStore(c config.VaultServer) (*kvStore, error) {
	client, err := vaultapi.New(c)
	return &kvStore{client, c.Mount}, err
}

// fetch reads a secret.
func (s *kvStore) fetch(ctx context.Context, r target.VaultReference) (target.Credential, error) {
	c, err := s.read(ctx, r)
	if errors.Is(err, vaultapi.ErrNotFound) {
		err = errors.New("there is no such secret (404)")
	}
	if err != nil {
		return target.Credential{}, fmt.Errorf("vault %s: %s: %w", s.Name(), r.Path, err)
	}
	return c, nil
}

func (s *kvStore) read(ctx context.Context, r target.VaultReference) (target.Credential, error) {
	var answer struct {
		Data struct {
			Data map[string]json.RawMessage `json:"data"` // null: the newest version is deleted
		} `json:"data"`
	}
	body, err := s.Get(ctx, s.mount+"/data/"+r.Path)
	defer clear(body)
	if err != nil {
		return target.Credential{}, err
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Data.Data == nil {
		return target.Credential{}, errors.New("its answer is not that of a KV store of version 2")
	}
	return fieldsOf(answer.Data.Data, r)
}

// fieldsOf takes a credential from the fields of a secret.
func fieldsOf(data map[string]json.RawMessage, r target.VaultReference) (target.Credential, error) {
	field := r.PasswordField
	if field == "" {
		field = "password"
	}
	var c target.Credential
	raw, ok := data[field]
	if !ok {
		return c, fmt.Errorf("the secret has no field %q", field)
	}
	password, err := sensitive.Unquote(raw)
	if err != nil || len(password) == 0 {
		return c, fmt.Errorf("the field %q of the secret is not a text", field)
	}
	c.Password = target.NewPassword(password)
	field = r.UsernameField
	if field == "" {
		field = "username"
	}
	raw, ok = data[field]
	if !ok && r.UsernameField != "" {
		return c, fmt.Errorf("the secret has no field %q", field)
	}
	if ok {
		name, err := sensitive.Unquote(raw)
		if err != nil {
			return c, fmt.Errorf("the field %q of the secret is not a text", field)
		}
		c.Username = string(name)
	}
	return c, nil
}
