package objectstore_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/objectstore/objectstoretest"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMinIO(t *testing.T) {
	server := testbed.StartMinIO(t)
	var bucket atomic.Int64
	open := func(t *testing.T, change func(*objectstore.MinIOConfig)) objectstore.Store {
		cfg := objectstore.MinIOConfig{
			Endpoint: server.Endpoint, AccessKey: server.AccessKey, SecretKey: objectstore.Secret(server.SecretKey),
			Bucket: fmt.Sprintf("recordings-%d", bucket.Add(1)), CreateBucket: true,
		}
		change(&cfg)
		m, err := objectstore.NewMinIO(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	}
	t.Run("plain", func(t *testing.T) {
		objectstoretest.Run(t, func(t *testing.T) objectstore.Store {
			return open(t, func(*objectstore.MinIOConfig) {})
		})
	})
	t.Run("prefix", func(t *testing.T) {
		objectstoretest.Run(t, func(t *testing.T) objectstore.Store {
			return open(t, func(c *objectstore.MinIOConfig) { c.Prefix = "vitrine/node-1" })
		})
	})
	t.Run("prefixes are apart", func(t *testing.T) {
		name := "shared"
		a := open(t, func(c *objectstore.MinIOConfig) { c.Bucket, c.Prefix = name, "a" })
		b := open(t, func(c *objectstore.MinIOConfig) { c.Bucket, c.Prefix = name, "b" })
		objectstoretest.Put(t, a, "k", []byte("x"))
		if _, err := b.Stat(t.Context(), "k"); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("stat under another prefix: %v", err)
		}
		for o, err := range b.List(t.Context(), "") {
			t.Errorf("listed %+v, %v", o, err)
		}
	})
	t.Run("bucket missing and not to be made", func(t *testing.T) {
		s := open(t, func(c *objectstore.MinIOConfig) { c.CreateBucket = false })
		if _, err := s.Stat(t.Context(), "k"); err == nil || errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("stat: %v, want a fault that is not ErrNotFound", err)
		}
		err := s.Put(t.Context(), "k", strings.NewReader(""), 0, objectstore.PutOptions{})
		if err == nil || errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("put: %v, want a fault", err)
		}
	})
	t.Run("wrong secret", func(t *testing.T) {
		s := open(t, func(c *objectstore.MinIOConfig) { c.SecretKey = "not-the-secret" })
		_, err := s.Stat(t.Context(), "k")
		if err == nil || errors.Is(err, objectstore.ErrNotFound) || strings.Contains(err.Error(), "not-the-secret") {
			t.Errorf("stat: %v", err)
		}
	})
	t.Run("lock", func(t *testing.T) {
		s := open(t, func(c *objectstore.MinIOConfig) { c.LockMode, c.Prefix = objectstore.Compliance, "p" }).(*objectstore.MinIO)
		if err := s.CheckLock(t.Context()); err != nil {
			t.Fatal(err)
		}
		objectstoretest.RunLock(t, s, func(until time.Time) {
			for limit := until.Truncate(time.Second).Add(time.Second); !time.Now().After(limit); {
				time.Sleep(time.Until(limit) + time.Millisecond) // the server has a clock of its own, of whole seconds
			}
		})
	})
	t.Run("bucket without lock", func(t *testing.T) {
		name := "unlocked"
		objectstoretest.Put(t, open(t, func(c *objectstore.MinIOConfig) { c.Bucket = name }), "k", []byte("x"))
		s := open(t, func(c *objectstore.MinIOConfig) { c.Bucket, c.LockMode = name, objectstore.Governance }).(*objectstore.MinIO)
		if err := s.CheckLock(t.Context()); !errors.Is(err, objectstore.ErrNoLock) {
			t.Errorf("%v, want ErrNoLock", err)
		}
		err := s.Put(t.Context(), "l", strings.NewReader(""), 0, objectstore.PutOptions{SHA256: sha256.Sum256(nil), Lock: objectstore.Lock{Until: time.Now().Add(time.Hour)}})
		if err == nil {
			t.Error("an object that cannot be locked was stored")
		}
	})
	t.Run("server down", func(t *testing.T) {
		s := open(t, func(*objectstore.MinIOConfig) {})
		objectstoretest.Put(t, s, "k", []byte("kept"))
		server.Stop()
		if _, err := s.Stat(t.Context(), "k"); err == nil || errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("stat while down: %v, want a fault that is not ErrNotFound", err)
		}
		server.Start()
		if got := objectstoretest.Get(t, s, "k"); string(got) != "kept" {
			t.Errorf("got %q", got)
		}
	})
}

func TestMinIOConfig(t *testing.T) {
	for name, cfg := range map[string]objectstore.MinIOConfig{
		"no endpoint":  {Bucket: "b"},
		"bad endpoint": {Endpoint: "http://127.0.0.1:1/x", Bucket: "b"},
		"bad prefix":   {Endpoint: "127.0.0.1:1", Prefix: "/a/"},
		"bad CA":       {Endpoint: "127.0.0.1:1", CAPEM: []byte("x")},
	} {
		if _, err := objectstore.NewMinIO(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", objectstore.Secret("hush"), objectstore.MinIOConfig{SecretKey: "hush"}, objectstore.MinIOConfig{SecretKey: "hush"}); strings.Contains(s, "hush") {
		t.Errorf("the secret is printed: %s", s)
	}
}
