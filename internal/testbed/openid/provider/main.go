// Command provider runs the OpenID provider of package openid on a port of this machine, for tests in browsers.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed/openid"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	redirect := flag.String("redirect", "", "where people are sent back to")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	issuer := fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	s := http.Server{Handler: openid.Handler(issuer, openid.People(), *redirect), ReadHeaderTimeout: 10 * time.Second}
	fmt.Println("issuer", issuer)
	fmt.Fprintln(os.Stderr, s.Serve(l))
	os.Exit(1)
}
