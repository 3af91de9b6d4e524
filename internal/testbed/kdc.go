package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// KDC is a Kerberos realm of its own, with MIT's krb5kdc.
type KDC struct {
	Realm  string
	Addr   string   // host:port, TCP and UDP
	Keytab string   // of the services added
	Env    []string // for programs of Kerberos that shall meet this realm
}

// StartKDC starts a realm without users.
func StartKDC(t TB) *KDC {
	t.Helper()
	Require(t, "krb5kdc", "kdb5_util", "kadmin.local")
	dir, addr := t.TempDir(), freeAddr(t)
	k := &KDC{Realm: "TESTBED.EXAMPLE", Addr: addr, Keytab: filepath.Join(dir, "keytab")}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatalf("testbed: %v", err)
		}
		return path
	}
	conf := file("krb5.conf", fmt.Sprintf(`[libdefaults]
	default_realm = %[1]s
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
[realms]
	%[1]s = {
		kdc = %[2]s
	}
[logging]
	kdc = STDERR
`, k.Realm, addr))
	kdcConf := file("kdc.conf", fmt.Sprintf(`[realms]
	%[1]s = {
		database_name = %[2]s/principal
		key_stash_file = %[2]s/stash
		acl_file = %[2]s/acl
		kdc_listen = %[3]s
		kdc_tcp_listen = %[3]s
		max_life = 1h
		supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
	}
`, k.Realm, dir, addr))
	k.Env = []string{"KRB5_CONFIG=" + conf, "KRB5_KDC_PROFILE=" + kdcConf, "KRB5_KTNAME=" + k.Keytab, "KRB5RCACHETYPE=none", "KRB5CCNAME=" + filepath.Join(dir, "ccache")}
	k.run(t, "kdb5_util", "create", "-s", "-r", k.Realm, "-P", "master")
	start(t, spawn{name: "krb5kdc", args: []string{"-n", "-r", k.Realm}, env: k.Env})
	WaitTCP(t, addr, startTimeout)
	return k
}

// AddUser adds a user who must prove the password before a ticket is given.
func (k *KDC) AddUser(t TB, name, password string) {
	t.Helper()
	k.Admin(t, fmt.Sprintf("addprinc +requires_preauth -pw %s %s", password, name))
}

// AddService adds a service with a random key, which goes into the keytab.
func (k *KDC) AddService(t TB, spn string) {
	t.Helper()
	k.Admin(t, "addprinc -randkey "+spn)
	k.Admin(t, fmt.Sprintf("ktadd -norandkey -k %s %s", k.Keytab, spn))
}

// Admin runs a command of kadmin.
func (k *KDC) Admin(t TB, command string) {
	t.Helper()
	k.run(t, "kadmin.local", "-r", k.Realm, "-q", command)
}

func (k *KDC) run(t TB, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), k.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("testbed: %s: %v\n%s", name, err, out)
	}
}
