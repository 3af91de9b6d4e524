package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// secretPrefix marks a secret that is base64, as the Standard Webhooks specification writes them.
const secretPrefix = "whsec_"

// Webhook is a program that is told.
type Webhook struct {
	Name   string
	URL    string
	Secret string // what it is signed with; after "whsec_" base64
	Kinds  []Kind // none: all
	CAFile string // PEM; empty: the system's roots
}

type webhook struct {
	name   string
	url    string
	key    []byte
	kinds  []Kind
	client *http.Client
	now    func() time.Time
}

var _ sender = (*webhook)(nil)

func newWebhook(w Webhook, now func() time.Time) (*webhook, error) {
	key := []byte(w.Secret)
	if encoded, ok := strings.CutPrefix(w.Secret, secretPrefix); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, fmt.Errorf("notify: webhook %s: the secret after %s is not base64", w.Name, secretPrefix)
		}
	}
	roots, err := rootsOf(w.CAFile)
	if err != nil {
		return nil, fmt.Errorf("notify: webhook %s: %w", w.Name, err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	transport.MaxResponseHeaderBytes = maxAnswerBytes
	transport.MaxConnsPerHost = atOnce
	return &webhook{
		name: w.Name, url: w.URL, key: key, kinds: w.Kinds, now: now,
		client: &http.Client{
			Transport: transport,
			// A redirect is an answer, and not a good one.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func (w *webhook) wants(k Kind) bool { return len(w.kinds) == 0 || slices.Contains(w.kinds, k) }

// send implements sender.
func (w *webhook) send(ctx context.Context, d store.Delivery) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader([]byte(d.Payload)))
	if err != nil {
		return permanent(fmt.Errorf("notify: webhook: %w", withoutURL(err)))
	}
	id, at := "msg_"+d.ID, w.now().Unix()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Vitrine")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at, 10))
	req.Header.Set("Webhook-Signature", sign(w.key, id, at, d.Payload))
	res, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("notify: webhook: %w", withoutURL(err))
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswerBytes))
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone: // the specification's way to say never again
		return permanent(fmt.Errorf("notify: webhook: answered %s", res.Status))
	}
	return fmt.Errorf("notify: webhook: answered %s", res.Status)
}

// Poster posts texts that are no events to one webhook, signed alike.
type Poster struct{ hook *webhook }

// NewPoster returns a Poster to w.
func NewPoster(w Webhook) (*Poster, error) {
	hook, err := newWebhook(w, time.Now)
	if err != nil {
		return nil, err
	}
	return &Poster{hook}, nil
}

// Post sends a JSON text. The same id marks the same text sent again.
func (p *Poster) Post(ctx context.Context, id, body string) error {
	return p.hook.send(ctx, store.Delivery{ID: id, Payload: body})
}

// Close ends idle connections.
func (p *Poster) Close() error {
	p.hook.client.CloseIdleConnections()
	return nil
}

// sign returns the header webhook-signature.
func sign(key []byte, id string, at int64, body string) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// withoutURL takes the address out of an error: it may hold a token.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// rootsOf reads the authorities of a PEM file; nil for none, which are the system's.
func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}
