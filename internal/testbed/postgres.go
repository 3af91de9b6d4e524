package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresKeeper runs a server and ends it, and its folder, when its own standard input ends: with the test process,
// however that ends. $1 is the program, $2 the folder, $3 the port.
const postgresKeeper = `
"$1" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=64MB \
	-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off -c logging_collector=off </dev/null >>"$2/log" 2>&1 &
pid=$!
read -r _
kill -QUIT $pid
wait $pid
rm -rf "$2"
`

// postgresServer is the one server of this test process, which all its tests share.
var postgresServer struct {
	once sync.Once
	root url.URL // of the superuser's database
	err  error
	// hold is the standard input of the keeper. It is here to be kept open.
	hold *os.File
}

// Postgres returns the URL of an empty database of a real PostgreSQL server, which goes when the test ends. The first
// call starts the server, as an ordinary user when the tests run as root, whom PostgreSQL refuses. Its databases sort
// text as English does, which is not how SQLite does.
func Postgres(t TB) string {
	t.Helper()
	initdb, err := postgresProgram("initdb")
	if err != nil {
		unavailable(t, err.Error())
	}
	server := &postgresServer
	server.once.Do(func() { server.root, server.hold, server.err = startPostgres(t, initdb) })
	if server.err != nil {
		t.Fatalf("testbed: postgresql: %v", server.err)
	}
	name := "test_" + rand.Text()
	at := server.root
	at.Path = "/" + name
	if err := postgresDo(&server.root, `CREATE DATABASE "`+name+`"`); err != nil {
		t.Fatalf("testbed: postgresql: %v", err)
	}
	t.Cleanup(func() {
		if err := postgresDo(&server.root, `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Logf("testbed: postgresql: %v", err)
		}
	})
	return at.String()
}

// postgresProgram finds a program of the server's package, which Debian keeps off the PATH.
func postgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("not installed: postgresql (%s)", name)
	}
	slices.Sort(found) // versions of two digits
	return found[len(found)-1], nil
}

func startPostgres(t TB, initdb string) (root url.URL, hold *os.File, err error) {
	server := filepath.Join(filepath.Dir(initdb), "postgres")
	folder, err := os.MkdirTemp("", "vitrine-postgres-")
	if err != nil {
		return url.URL{}, nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		if as.Credential, err = ordinaryUser(); err != nil {
			return url.URL{}, nil, err
		}
		if err := os.Chown(folder, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			return url.URL{}, nil, err
		}
	}
	password, passwordFile := rand.Text(), filepath.Join(folder, "password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o644); err != nil { // the folder is its user's own
		return url.URL{}, nil, err
	}
	create := exec.Command(initdb, "-D", filepath.Join(folder, "data"), "--username=postgres", "--pwfile="+passwordFile, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "--no-sync")
	create.Dir, create.SysProcAttr = folder, as
	if out, err := create.CombinedOutput(); err != nil {
		return url.URL{}, nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	addr := freeAddr(t)
	stdin, hold, err := os.Pipe()
	if err != nil {
		return url.URL{}, nil, err
	}
	defer stdin.Close()
	keeper := exec.Command("/bin/sh", "-c", postgresKeeper, "sh", server, folder, port(addr))
	keeper.Dir, keeper.SysProcAttr, keeper.Stdin = folder, as, stdin
	if err := keeper.Start(); err != nil {
		hold.Close()
		return url.URL{}, nil, err
	}
	root = url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password), Host: addr, Path: "/postgres"}
	for end := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		if err = postgresDo(&root, `SELECT 1`); err == nil {
			return root, hold, nil
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(folder, "log"))
			hold.Close()
			return url.URL{}, nil, fmt.Errorf("does not answer: %w\n%s", err, log)
		}
	}
}

// ordinaryUser is whom the server runs as when the tests run as root.
func ordinaryUser() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("no user postgres or nobody to run as")
}

func postgresDo(at *url.URL, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := pgx.Connect(ctx, at.String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	_, err = c.Exec(ctx, statement)
	return err
}
