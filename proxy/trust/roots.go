package trust

import (
	"crypto/x509"
	"os"
)

// bundles are where distributions keep the authorities of the system in one file: Debian, Fedora, openSUSE, Alpine.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// systemRoots reads the authorities of the system. x509.SystemCertPool reads the bundle and then the folder of the same
// certificates, one file each: five times the work, at the start of every session. It is asked where SSL_CERT_FILE or
// SSL_CERT_DIR say something else, and where there is no bundle.
func systemRoots(bundles []string) (*x509.CertPool, error) {
	if os.Getenv("SSL_CERT_FILE") == "" && os.Getenv("SSL_CERT_DIR") == "" {
		for _, name := range bundles {
			pem, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			if roots := x509.NewCertPool(); roots.AppendCertsFromPEM(pem) {
				return roots, nil
			}
		}
	}
	return x509.SystemCertPool()
}
