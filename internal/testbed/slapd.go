package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Slapd is an OpenLDAP server of its own, with a certificate and the overlay that keeps memberOf.
type Slapd struct {
	Addr     string // host:port of ldap://, with StartTLS
	TLSAddr  string // host:port of ldaps://
	Cert     *Cert  // for localhost and 127.0.0.1
	Base     string
	AdminDN  string
	Password string // of AdminDN
	process  *Process
	spawn    spawn
}

// StartSlapd starts a server that knows schemas of people and groups and holds nothing but Base.
func StartSlapd(t TB) *Slapd {
	t.Helper()
	program := "/usr/sbin/slapd" // Debian's, where not everybody's PATH leads
	if path, err := exec.LookPath("slapd"); err == nil {
		program = path
	}
	Require(t, program)
	dir := t.TempDir()
	s := &Slapd{
		Addr: freeAddr(t), TLSAddr: freeAddr(t), Cert: NewCert(t, "localhost", "127.0.0.1"),
		Base: "dc=example,dc=org", AdminDN: "cn=admin,dc=example,dc=org", Password: "directory manager",
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	conf := filepath.Join(dir, "slapd.conf")
	text := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile %[1]s/pid
TLSCertificateFile %[2]s
TLSCertificateKeyFile %[3]s
sizelimit 500
database mdb
suffix "%[4]s"
rootdn "%[5]s"
rootpw "%[6]s"
directory %[7]s
maxsize 16777216
dbnosync
index objectClass,uid,member eq
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
`, dir, s.Cert.CertFile, s.Cert.KeyFile, s.Base, s.AdminDN, s.Password, data)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	ldif := fmt.Sprintf("dn: %s\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n", s.Base)
	add := exec.Command(program, "-T", "add", "-f", conf)
	add.Stdin = strings.NewReader(ldif)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("testbed: slapadd: %v: %s", err, out)
	}
	s.spawn = spawn{name: program, args: []string{"-f", conf, "-h", "ldap://" + s.Addr + " ldaps://" + s.TLSAddr, "-d", "0"}}
	s.Start(t)
	return s
}

// Start starts the server, again after Stop.
func (s *Slapd) Start(t TB) {
	t.Helper()
	s.process = start(t, s.spawn)
	WaitTCP(t, s.Addr, startTimeout)
	WaitTCP(t, s.TLSAddr, startTimeout)
}

// Stop ends the server. What it holds stays.
func (s *Slapd) Stop() { s.process.Stop() }
