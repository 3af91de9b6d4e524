package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/serve"
	"github.com/vitrine-psm/vitrine/web"
)

// demoNativePort is where native clients are let in, or the next free port.
const demoNativePort = 3389

// demoPorts is how many ports are tried from the wished one on.
const demoPorts = 50

func newDemoCommand() *cobra.Command {
	var data string
	var port int
	var verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the gateway on loopback with a built-in desktop, to try it out",
		Long: "Runs the gateway on loopback, with recordings in a folder and one target: a drawn desktop that is part of\n" +
			"this program. Nothing else is needed. Recordings stay in the data folder; the password is new at each start.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				cache, err := os.UserCacheDir()
				if err != nil {
					cache = os.TempDir()
				}
				data = filepath.Join(cache, "vitrine", "demo")
			}
			return demo(cmd, data, port, verbose)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder (default: vitrine/demo in the user's cache)")
	cmd.Flags().IntVar(&port, "port", 8080, "port of the console; the next free one is taken")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log everything")
	return cmd
}

func demo(cmd *cobra.Command, data string, port int, verbose bool) error {
	desktop, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer desktop.Close()
	native, err := listenFrom(demoNativePort)
	if err != nil {
		return err
	}
	defer native.Close()
	cfg, err := demoConfig(data, desktop.Addr().String(), native.Addr().String(), verbose)
	if err != nil {
		return err
	}
	log, err := newLogger(cmd.ErrOrStderr(), cfg.Log)
	if err != nil {
		return err
	}
	target, err := newDemoTarget(log)
	if err != nil {
		return err
	}
	l, err := listenFrom(port)
	if err != nil {
		return err
	}
	g, err := serve.Open(cmd.Context(), serve.Options{Config: cfg, Console: web.Dist(), Version: version(), Logger: log, Listener: l, NativeListener: native})
	if err != nil {
		return err
	}
	// Nobody remembers the password of a demo.
	password, err := g.ResetFirstUser(cmd.Context())
	if err != nil {
		return errors.Join(err, g.Close())
	}
	printBanner(cmd.OutOrStdout(), g.URL(), g.NativeAddress(), password, data)
	group, ctx := errgroup.WithContext(cmd.Context())
	// The desktop stays until the sessions on it have ended.
	desktopCtx, stopDesktop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopDesktop()
		return g.Run(ctx)
	})
	group.Go(func() error { return target.Run(desktopCtx, desktop) })
	return errors.Join(group.Wait(), g.Close())
}

// demoConfig is a configuration for this machine: media alone is on all addresses, for Firefox (ARCHITECTURE.md).
func demoConfig(data, desktop, rdp string, verbose bool) (*config.Config, error) {
	level := "warn"
	if verbose {
		level = "debug"
	}
	yaml := fmt.Sprintf(`
data_dir: %q
native: {listen: %q, nla_listen: "127.0.0.1:0"}
log: {level: %s}
targets:
  - id: demo
    name: Demo desktop
    description: A drawn desktop that is part of Vitrine. Click and type in it.
    protocol: vnc
    address: %q
    tls: {mode: "off"}
    tags: [demo]
`, data, rdp, level, desktop)
	abs, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	return config.Parse([]byte(yaml), abs, nil)
}

// listenFrom takes the first free port on loopback from port on.
func listenFrom(port int) (net.Listener, error) {
	for p := port; ; p++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || p == port+demoPorts {
			return l, err
		}
	}
}

func printBanner(w io.Writer, url, rdp, password, data string) {
	fmt.Fprintf(w, `
  Vitrine %s · demo

    console   %s
    user      %s
    password  %s
    RDP       %s    by a file from the console, or: xfreerdp /v:%[5]s /u:%[3]s /sec:tls

  Recordings are kept in %[6]s
  Ctrl-C ends it.

`, version(), url, identity.FirstUser, password, rdp, data)
}
