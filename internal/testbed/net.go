package testbed

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// FreePort returns a TCP port of the loopback interface that nobody listened at a moment ago.
func FreePort(t TB) int {
	t.Helper()
	n, err := strconv.Atoi(port(freeAddr(t)))
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return n
}

// freeAddr is FreePort as host:port.
func freeAddr(t TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

// WaitTCP waits until something accepts connections at addr.
func WaitTCP(t TB, addr string, timeout time.Duration) {
	t.Helper()
	Eventually(t, timeout, "a listener at "+addr, func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// WaitHTTP waits until a GET of url answers 200.
func WaitHTTP(t TB, url string, timeout time.Duration) {
	t.Helper()
	Eventually(t, timeout, "200 from "+url, func() bool { return healthy(url) })
}

func healthy(url string) bool {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}
