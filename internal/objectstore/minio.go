package objectstore

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// MinIOConfig says where a bucket is and how to get in.
type MinIOConfig struct {
	Endpoint     string // host:port
	Secure       bool   // HTTPS
	CAPEM        []byte // roots to trust instead of the system's; empty: the system's
	Region       string // empty: us-east-1
	Bucket       string
	Prefix       string // before every key, without slashes at its ends; may be empty
	AccessKey    string
	SecretKey    Secret
	CreateBucket bool // make the bucket when it is missing
	// LockMode makes the server itself refuse to remove objects before their time. Empty: it is not asked to.
	LockMode LockMode
}

// LockMode is how firmly an S3 server holds a lock.
type LockMode string

// How firmly an S3 server holds a lock.
const (
	Governance LockMode = "governance" // whoever has a special permission can remove an object nevertheless
	Compliance LockMode = "compliance" // nobody can, the server's administrator included
)

func (m LockMode) retention() minio.RetentionMode {
	return minio.RetentionMode(strings.ToUpper(string(m)))
}

// Secret is a string that never appears in a log.
type Secret string

// String hides the value from the fmt verbs.
func (Secret) String() string { return "[redacted]" }

// GoString hides the value from %#v.
func (Secret) GoString() string { return "[redacted]" }

// MinIO keeps objects in a bucket of MinIO or another S3 server.
type MinIO struct {
	client    *minio.Client
	transport *http.Transport
	cfg       MinIOConfig
	bucket    atomic.Bool // known to exist
}

var _ Store = (*MinIO)(nil)

// NewMinIO prepares a client. It does not connect: a server that is down now may be up when the first object comes.
// The caller closes the store.
func NewMinIO(cfg MinIOConfig) (*MinIO, error) {
	if cfg.Prefix != "" {
		if err := CheckKey(cfg.Prefix); err != nil {
			return nil, fmt.Errorf("objectstore: prefix: %w", err)
		}
		cfg.Prefix += "/"
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(cfg.CAPEM) > 0 {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(cfg.CAPEM) {
			return nil, errors.New("objectstore: no certificate in the CA file")
		}
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
	client, err := minio.New(cfg.Endpoint, &minio.Options{
		Creds:     credentials.NewStaticV4(cfg.AccessKey, string(cfg.SecretKey), ""),
		Secure:    cfg.Secure,
		Transport: transport,
		Region:    cfg.Region,
		// The checksum header needs it.
		TrailingHeaders: true,
		// Callers try again by their own rules.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("objectstore: %w", err)
	}
	return &MinIO{client: client, transport: transport, cfg: cfg}, nil
}

// Close closes idle connections.
func (m *MinIO) Close() error {
	m.transport.CloseIdleConnections()
	return nil
}

// Put sends the object in one request; the server checks the checksum before the object appears.
func (m *MinIO) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, opt PutOptions) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := checkSize(r, size); err != nil {
		return err
	}
	if m.cfg.CreateBucket && !m.bucket.Load() {
		if err := m.makeBucket(ctx); err != nil {
			return err
		}
	}
	put := minio.PutObjectOptions{
		ContentType: opt.ContentType,
		// In parts the server would keep a checksum of checksums. A segment is 64 MiB at most, one PUT may have 5 GiB.
		DisableMultipart: true,
		UserMetadata:     map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(opt.SHA256[:])},
	}
	m.lockNew(&put, opt.Lock)
	_, err := m.client.PutObject(ctx, m.cfg.Bucket, m.cfg.Prefix+key, io.LimitReader(r, size), size, put)
	if minio.ToErrorResponse(err).Code == minio.NoSuchBucket {
		m.bucket.Store(false) // somebody removed it; the next attempt makes it again
	}
	return m.failed("put", key, err)
}

// makeBucket makes the bucket when it is missing. That comes before the object: once a request has failed, the
// transport may still be reading its body, which therefore cannot be sent again.
func (m *MinIO) makeBucket(ctx context.Context) error {
	exists, err := m.client.BucketExists(ctx, m.cfg.Bucket)
	if err == nil && !exists {
		err = m.client.MakeBucket(ctx, m.cfg.Bucket, minio.MakeBucketOptions{Region: m.cfg.Region, ObjectLocking: m.cfg.LockMode != ""})
		if minio.ToErrorResponse(err).Code == minio.BucketAlreadyOwnedByYou {
			err = nil // another node was first
		}
	}
	if err != nil {
		return fmt.Errorf("objectstore: make bucket: %w", err)
	}
	m.bucket.Store(true)
	return nil
}

// Get opens a range. The first byte has been asked for when it returns, so that a missing object is seen here.
func (m *MinIO) Get(ctx context.Context, key string, rng Range) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	if rng.Offset < 0 || rng.Length < 0 {
		return nil, fmt.Errorf("%w: from %d", ErrRange, rng.Offset)
	}
	var opt minio.GetObjectOptions
	if rng != (Range{}) {
		var last int64 // zero: to the end
		if rng.Length > 0 {
			last = rng.Offset + rng.Length - 1
		}
		if rng.Offset == 0 && last == 0 {
			opt.Set("Range", "bytes=0-0") // SetRange takes 0,0 for the whole object
		} else if err := opt.SetRange(rng.Offset, last); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRange, err)
		}
	}
	body, _, _, err := (minio.Core{Client: m.client}).GetObject(ctx, m.cfg.Bucket, m.cfg.Prefix+key, opt)
	if err != nil {
		return nil, m.failed("get", key, err)
	}
	return body, nil
}

// Stat asks for the checksum the server verified on Put, and reads the object when it kept none.
func (m *MinIO) Stat(ctx context.Context, key string) (Object, error) {
	if err := CheckKey(key); err != nil {
		return Object{}, err
	}
	info, err := m.client.StatObject(ctx, m.cfg.Bucket, m.cfg.Prefix+key, minio.StatObjectOptions{Checksum: true})
	if err != nil {
		return Object{}, m.failed("stat", key, err)
	}
	object := Object{Key: key, Size: info.Size, Modified: info.LastModified}
	sum, err := base64.StdEncoding.DecodeString(info.ChecksumSHA256)
	if err == nil && len(sum) == sha256.Size {
		object.SHA256 = [sha256.Size]byte(sum)
		return object, nil
	}
	body, err := m.Get(ctx, key, Range{})
	if err != nil {
		return Object{}, err
	}
	defer body.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, body); err != nil {
		return Object{}, m.failed("stat", key, err)
	}
	object.SHA256 = [sha256.Size]byte(hash.Sum(nil))
	return object, nil
}

// List pages through the bucket.
func (m *MinIO) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the client's goroutine when yield stops
		for info := range m.client.ListObjectsIter(ctx, m.cfg.Bucket, minio.ListObjectsOptions{Prefix: m.cfg.Prefix + prefix, Recursive: true}) {
			if info.Err != nil {
				if minio.ToErrorResponse(info.Err).Code == minio.NoSuchBucket && m.cfg.CreateBucket {
					return // nothing was ever put
				}
				yield(Object{}, m.failed("list", prefix, info.Err))
				return
			}
			if !yield(Object{Key: strings.TrimPrefix(info.Key, m.cfg.Prefix), Size: info.Size, Modified: info.LastModified}, nil) {
				return
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(Object{}, err)
		}
	}
}

// Delete removes the object with all its versions: in a bucket with versions, which one with Object Lock always is, what is
// removed by its key alone is only hidden. S3 deletes what is not there without a word, so it is looked for first.
func (m *MinIO) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the client's goroutine
	full, found := m.cfg.Prefix+key, false
	for info := range m.client.ListObjectsIter(ctx, m.cfg.Bucket, minio.ListObjectsOptions{Prefix: full, WithVersions: true}) {
		if info.Err != nil {
			return m.failed("delete", key, info.Err)
		}
		if info.Key != full {
			continue // a longer key; "a/" comes as one
		}
		found = true
		if err := m.client.RemoveObject(ctx, m.cfg.Bucket, full, minio.RemoveObjectOptions{VersionID: info.VersionID}); err != nil {
			return m.failed("delete", key, err)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	return nil
}

// failed maps the server's codes to the sentinels.
func (m *MinIO) failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	switch minio.ToErrorResponse(err).Code {
	case minio.NoSuchKey:
		return fmt.Errorf("%w: %s", ErrNotFound, key)
	case minio.NoSuchBucket:
		if m.cfg.CreateBucket && what != "put" {
			return fmt.Errorf("%w: %s", ErrNotFound, key)
		}
	case "InvalidRange":
		return fmt.Errorf("%w: %s", ErrRange, key)
	case minio.AccessDenied, "InvalidRequest": // S3's own word, and MinIO's
		if m.cfg.LockMode != "" && what == "delete" {
			return fmt.Errorf("%w: %s: %w", ErrLocked, key, err)
		}
	case "XAmzContentChecksumMismatch", "XMinioContentChecksumMismatch", "BadDigest", "InvalidDigest", "IncompleteBody":
		return fmt.Errorf("%w: %s", ErrChecksum, key)
	}
	return fmt.Errorf("objectstore: %s %s: %w", what, key, err)
}

// checkSize compares what is left in r with the promised size.
func checkSize(r io.Seeker, size int64) error {
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	if end-at != size {
		return fmt.Errorf("%w: %d bytes, %d promised", ErrChecksum, end-at, size)
	}
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	return nil
}
