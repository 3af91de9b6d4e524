package serve

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// How long a certificate of our own lasts, and how long before its end a start makes a new one.
const (
	selfSignedFor   = 397 * 24 * time.Hour // browsers take no longer ones
	selfSignedRenew = 30 * 24 * time.Hour
)

// selfSigned returns the files of a certificate of our own in folder, which it makes when there is none or it is about to
// expire. People compare its fingerprint with the log's.
func selfSigned(folder, listen string, now time.Time, log *slog.Logger) (cert, key string, err error) {
	return browsersOwn.files(folder, listen, now, log)
}

// ownCertificate is a kind of certificate of our own.
type ownCertificate struct {
	name    string // of its files
	new     func() (crypto.Signer, error)
	use     x509.KeyUsage
	warning string
}

var (
	browsersOwn = ownCertificate{
		"self-signed", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }, x509.KeyUsageDigitalSignature,
		"browsers will warn; set http.tls",
	}
	// Some native clients take RSA alone.
	nativeOwn = ownCertificate{
		"native", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		"native clients will warn; set native.cert_file",
	}
)

// files returns the certificate's files, as selfSigned says.
func (o ownCertificate) files(folder, listen string, now time.Time, log *slog.Logger) (cert, key string, err error) {
	cert, key = filepath.Join(folder, o.name+".crt"), filepath.Join(folder, o.name+".key")
	pair, err := tls.LoadX509KeyPair(cert, key)
	made := false
	if errors.Is(err, fs.ErrNotExist) || err == nil && now.Add(selfSignedRenew).After(pair.Leaf.NotAfter) {
		made = true
		if err = o.make(folder, cert, key, listen, now); err == nil {
			pair, err = tls.LoadX509KeyPair(cert, key)
		}
	}
	if err != nil {
		return "", "", fmt.Errorf("serve: self-signed certificate: %w", err)
	}
	sum := sha256.Sum256(pair.Certificate[0])
	level := slog.LevelWarn
	if host, _, err := net.SplitHostPort(listen); err == nil {
		if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
			level = slog.LevelInfo // only those of this machine see it
		}
	}
	log.Log(context.Background(), level, "nobody vouches for the certificate", "hint", o.warning, "sha256", hex.EncodeToString(sum[:]),
		"file", cert, "made_now", made, "not_after", pair.Leaf.NotAfter.UTC())
	return cert, key, nil
}

func (o ownCertificate) make(folder, cert, key, listen string, now time.Time) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	private, err := o.new()
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Vitrine, self-signed"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedFor), // clocks differ
		KeyUsage: o.use, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		template.DNSNames = append(template.DNSNames, name)
	}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" && net.ParseIP(host) == nil {
		template.DNSNames = append(template.DNSNames, host)
	}
	addrs, err := net.InterfaceAddrs() // what people may type; none is no harm
	if err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				template.IPAddresses = append(template.IPAddresses, n.IP)
			}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	// The certificate last: without it the next start makes both again.
	if err := os.Remove(cert); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writePEM(key, "PRIVATE KEY", pkcs8); err != nil {
		return err
	}
	return writePEM(cert, "CERTIFICATE", der)
}

// writePEM writes a file for us alone, whole or not at all.
func writePEM(path, kind string, der []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".pem-") // 0600
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
