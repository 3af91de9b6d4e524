package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/sensitive"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vaultapi"
)

// ErrUnavailable is returned while the service that holds a key cannot be asked, or refuses.
var ErrUnavailable = errors.New("vault: the key service cannot be asked")

// transit wraps data keys with a key that a HashiCorp Vault keeps in a transit engine. What the engine encrypts is
//
//	version 1 | SHA-256 of the data key's binding, 32 | data key, 32
//
// so that a wrapped key that somebody moves to another row does not open there, whatever kind of key the engine's is. The id of
// the key is "transit:MOUNT/NAME:vN", where N is the version that wrapped.
type transit struct {
	client  *vaultapi.Client
	mount   string
	name    string
	timeout time.Duration
	retired bool
	opened  openedKeys
}

// wrappedKey is a data key as the engine returns it.
type wrappedKey struct {
	id   string // of the key, with its version
	text []byte
}

func newTransit(c config.Transit, servers []config.VaultServer) (*transit, error) {
	i := slices.IndexFunc(servers, func(s config.VaultServer) bool { return s.Name == c.Vault })
	if i < 0 {
		return nil, fmt.Errorf("vault: secrets.transit: there is no vault %q", c.Vault)
	}
	client, err := vaultapi.New(servers[i])
	if err != nil {
		return nil, fmt.Errorf("vault: secrets.transit: vault %s: %w", c.Vault, err)
	}
	return &transit{
		client: client, mount: c.Mount, name: c.Key, timeout: c.Timeout, retired: c.Retired,
		opened: openedKeys{life: c.Cache, now: time.Now, keys: map[[sha256.Size]byte]openedKey{}},
	}, nil
}

// isTransit tells whether a key of that id is in a transit engine.
func isTransit(id string) bool { return strings.HasPrefix(id, store.ElsewherePrefix) }

// own tells whether the id is of a version of this key.
func (t *transit) own(id string) bool {
	rest, ok := strings.CutPrefix(id, t.prefix())
	_, err := strconv.ParseUint(rest, 10, 31)
	return ok && err == nil
}

func (t *transit) prefix() string { return store.ElsewherePrefix + t.mount + "/" + t.name + ":v" }

// payload is what the engine encrypts for the data key of s.
func payload(s *store.SealedSecret, key []byte) []byte {
	bound := sha256.Sum256(binding(layerDataKey, s.Purpose, s.RecordID))
	return append(append([]byte{sealVersion}, bound[:]...), key...)
}

// keyOf takes the data key of s out of what the engine has decrypted.
func keyOf(s *store.SealedSecret, b []byte) ([]byte, error) {
	bound := sha256.Sum256(binding(layerDataKey, s.Purpose, s.RecordID))
	if len(b) != 1+len(bound)+keyBytes || b[0] != sealVersion || subtle.ConstantTimeCompare(b[1:1+len(bound)], bound[:]) != 1 {
		return nil, fmt.Errorf("%w (data key, %s of %s)", ErrCorrupt, s.Purpose, s.RecordID)
	}
	return slices.Clone(b[1+len(bound):]), nil
}

// wrap wraps data keys with the newest version of the key.
func (t *transit) wrap(ctx context.Context, of []store.SealedSecret, keys [][]byte) ([]wrappedKey, error) {
	items := make([][]byte, len(keys))
	for i, key := range keys {
		items[i] = payload(&of[i], key)
	}
	defer clearAll(items)
	results, err := t.ask(ctx, "encrypt", "plaintext", encoded(items))
	if err != nil {
		return nil, err
	}
	return t.wrapped(results)
}

// rewrap has the engine wrap with the newest version what an older one has wrapped. The data keys do not leave it.
func (t *transit) rewrap(ctx context.Context, of []store.SealedSecret) ([]wrappedKey, error) {
	texts, err := t.texts(of)
	if err != nil {
		return nil, err
	}
	results, err := t.ask(ctx, "rewrap", "ciphertext", texts)
	if err != nil {
		return nil, err
	}
	return t.wrapped(results)
}

// unwrap returns the data keys of secrets, which the caller clears.
func (t *transit) unwrap(ctx context.Context, of []store.SealedSecret) (keys [][]byte, err error) {
	texts, err := t.texts(of)
	if err != nil {
		return nil, err
	}
	results, err := t.ask(ctx, "decrypt", "ciphertext", texts)
	if err != nil {
		return nil, err
	}
	defer func() {
		for i := range results {
			clear(results[i].Plaintext)
		}
		if err != nil {
			clearAll(keys)
			keys = nil
		}
	}()
	for i := range of {
		plain := make([]byte, base64.StdEncoding.DecodedLen(len(results[i].Plaintext)))
		n, err := base64.StdEncoding.Decode(plain, results[i].Plaintext)
		if err != nil {
			return keys, fmt.Errorf("%w: its answer is not that of a transit engine", ErrUnavailable)
		}
		key, err := keyOf(&of[i], plain[:n])
		clear(plain)
		if err != nil {
			return keys, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// texts are the wrapped data keys of secrets, if they can be of this engine.
func (t *transit) texts(of []store.SealedSecret) ([][]byte, error) {
	texts := make([][]byte, len(of))
	for i := range of {
		if !t.own(of[i].KeyID) {
			return nil, fmt.Errorf("%w: %s needs %s", ErrNoKey, of[i].Purpose, of[i].KeyID)
		}
		if _, err := wrappedVersion(of[i].DataKey); err != nil {
			return nil, fmt.Errorf("%w (data key, %s of %s)", ErrCorrupt, of[i].Purpose, of[i].RecordID)
		}
		texts[i] = of[i].DataKey
	}
	return texts, nil
}

// wrapped takes wrapped keys from an answer.
func (t *transit) wrapped(results []transitResult) ([]wrappedKey, error) {
	out := make([]wrappedKey, len(results))
	for i := range results {
		version, err := wrappedVersion([]byte(results[i].Ciphertext))
		if err != nil {
			return nil, fmt.Errorf("%w: its answer is not that of a transit engine", ErrUnavailable)
		}
		out[i] = wrappedKey{t.prefix() + strconv.Itoa(version), []byte(results[i].Ciphertext)}
	}
	return out, nil
}

// wrappedVersion reads which version of its key wrapped a text, vault:vN:BASE64.
func wrappedVersion(text []byte) (int, error) {
	rest, ok := strings.CutPrefix(string(text), "vault:v")
	number, body, found := strings.Cut(rest, ":")
	version, err := strconv.ParseUint(number, 10, 31)
	if !ok || !found || err != nil || version == 0 || body == "" || len(text) > maxWrapped ||
		strings.ContainsFunc(body, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+/=", r)
		}) {
		return 0, ErrCorrupt
	}
	return int(version), nil
}

// transitResult is one result of a batch.
type transitResult struct {
	Ciphertext string         `json:"ciphertext"`
	Plaintext  sensitive.Text `json:"plaintext"` // base64
	Error      string         `json:"error"`
}

// ask sends one batch and returns as many results. Items are put into JSON as they are.
func (t *transit) ask(ctx context.Context, what, field string, items [][]byte) ([]transitResult, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	body := batch(field, items)
	defer clear(body)
	answer, err := t.client.Post(ctx, t.mount+"/"+what+"/"+t.name, body)
	defer clear(answer)
	if err != nil {
		if s, ok := errors.AsType[*vaultapi.StatusError](err); ok && s.Status == http.StatusBadRequest {
			err = errors.New("it refused (400): there is no such key, or it does not open what it is given")
		}
		return nil, fmt.Errorf("%w: vault %s: %s with %s: %w", ErrUnavailable, t.client.Name(), what, t.name, err)
	}
	results, err := parseBatch(answer, len(items))
	if err != nil {
		return nil, fmt.Errorf("%w: vault %s: %s with %s: %w", ErrUnavailable, t.client.Name(), what, t.name, err)
	}
	return results, nil
}

// encoded are items in base64.
func encoded(items [][]byte) [][]byte {
	out := make([][]byte, len(items))
	for i, item := range items {
		out[i] = base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(item))), item)
	}
	return out
}

// batch writes a question by hand, for the library would leave copies.
func batch(field string, items [][]byte) []byte {
	const begin, end = `{"batch_input":[`, `]}`
	size := len(begin) + len(end)
	for _, item := range items {
		size += len(item) + len(field) + len(`{"":""},`)
	}
	b := append(make([]byte, 0, size), begin...)
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"`...), field...)
		b = append(append(b, `":"`...), item...)
		b = append(b, `"}`...)
	}
	return append(b, end...)
}

// parseBatch reads an answer, which must have n good results.
func parseBatch(b []byte, n int) ([]transitResult, error) {
	var answer struct {
		Data struct {
			Results []transitResult `json:"batch_results"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || len(answer.Data.Results) != n {
		return nil, errors.New("its answer is not that of a transit engine")
	}
	for i := range answer.Data.Results {
		if answer.Data.Results[i].Error != "" {
			return nil, errors.New("it refused a part of what was asked")
		}
	}
	return answer.Data.Results, nil
}

func clearAll(list [][]byte) {
	for _, b := range list {
		clear(b)
	}
}

// one wraps the data key of one secret.
func (t *transit) one(ctx context.Context, s *store.SealedSecret, key []byte) error {
	w, err := t.wrap(ctx, []store.SealedSecret{*s}, [][]byte{key})
	if err != nil {
		return err
	}
	s.KeyID, s.DataKey = w[0].id, w[0].text
	t.opened.keep(s.DataKey, key)
	return nil
}

// dataKey returns the data key of one secret, from memory if it was opened lately.
func (t *transit) dataKey(ctx context.Context, s *store.SealedSecret) ([]byte, error) {
	if key, ok := t.opened.get(s.DataKey); ok {
		return key, nil
	}
	keys, err := t.unwrap(ctx, []store.SealedSecret{*s})
	if err != nil {
		return nil, err
	}
	t.opened.keep(s.DataKey, keys[0])
	return keys[0], nil
}

// probe wraps and unwraps something, past what is in memory, and returns the id of the newest version.
func (t *transit) probe(ctx context.Context) (id string, err error) {
	s := []store.SealedSecret{{Purpose: "probe"}}
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails
	w, err := t.wrap(ctx, s, [][]byte{key})
	if err != nil {
		return "", err
	}
	s[0].KeyID, s[0].DataKey = w[0].id, w[0].text
	keys, err := t.unwrap(ctx, s)
	if err == nil && subtle.ConstantTimeCompare(keys[0], key) != 1 {
		err = fmt.Errorf("%w: it opens something else than it was given", ErrUnavailable)
	}
	return w[0].id, err
}

// openedKeys are data keys that were opened lately, by the hash of what they were wrapped as: whoever reads a recording asks for
// its key with each file. A secret that is not in the database any more is looked for there first.
type openedKeys struct {
	life time.Duration // 0: nothing is kept
	now  func() time.Time

	mu   sync.Mutex
	keys map[[sha256.Size]byte]openedKey
}

type openedKey struct {
	key   []byte
	until time.Time
}

// get returns a copy.
func (o *openedKeys) get(wrapped []byte) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expire()
	k, ok := o.keys[sha256.Sum256(wrapped)]
	return slices.Clone(k.key), ok
}

// keep keeps a copy, in the place of another one when there are too many.
func (o *openedKeys) keep(wrapped, key []byte) {
	if o.life == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expire()
	for at, k := range o.keys {
		if len(o.keys) < maxOpenedKeys {
			break
		}
		clear(k.key)
		delete(o.keys, at)
	}
	o.keys[sha256.Sum256(wrapped)] = openedKey{slices.Clone(key), o.now().Add(o.life)}
}

func (o *openedKeys) expire() {
	now := o.now()
	for at, k := range o.keys {
		if !now.Before(k.until) {
			clear(k.key)
			delete(o.keys, at)
		}
	}
}
