package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func newUserCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Add users and set their passwords"}
	configFlag(cmd)
	passwd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set a user's password and end their sign-ins",
		Long: "Reads the new password from standard input, or makes a random one and prints it with --random.\n" +
			"Before the first start it also makes the user " + identity.FirstUser + ".",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withIdentity(cmd, func(ctx context.Context, who *identity.Service, users *store.Users) error {
				return setPassword(cmd, args[0], func(password string) error {
					err := who.SetPassword(ctx, args[0], password)
					if !errors.Is(err, identity.ErrUnknownUser) || args[0] != identity.FirstUser {
						return err
					}
					if n, countErr := users.Count(ctx); countErr != nil || n > 0 {
						return errors.Join(err, countErr)
					}
					return who.CreateUser(ctx, args[0], password)
				})
			})
		},
	}
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long:  "Reads the password from standard input, or makes a random one and prints it with --random.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withIdentity(cmd, func(ctx context.Context, who *identity.Service, _ *store.Users) error {
				return setPassword(cmd, args[0], func(password string) error { return who.CreateUser(ctx, args[0], password) })
			})
		},
	}
	for _, c := range []*cobra.Command{passwd, add} {
		c.Flags().Bool("random", false, "make a random password and print it")
	}
	cmd.AddCommand(passwd, add)
	return cmd
}

// withIdentity opens the database beside a running serve, if any.
func withIdentity(cmd *cobra.Command, do func(context.Context, *identity.Service, *store.Users) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), cfg.Database.Path)
	if err != nil {
		return err
	}
	defer db.Close()
	who, err := identity.New(db.Users, db.BrowserSessions, identity.Options{})
	if err != nil {
		return err
	}
	return do(cmd.Context(), who, db.Users)
}

// setPassword gets a password as the flags say and hands it to set.
func setPassword(cmd *cobra.Command, name string, set func(password string) error) error {
	random, err := cmd.Flags().GetBool("random")
	if err != nil {
		return err
	}
	var password string
	if random {
		password = identity.NewPassword()
	} else if password, err = readPassword(cmd.InOrStdin(), cmd.ErrOrStderr(), name); err != nil {
		return err
	}
	if err := set(password); err != nil {
		return err
	}
	if random {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), password)
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The password of %s is set.\n", name)
	return err
}

// readPassword reads one line; from a terminal without showing it, twice.
func readPassword(in io.Reader, prompt io.Writer, name string) (string, error) {
	reader := bufio.NewReader(in)
	f, ok := in.(*os.File)
	if !ok {
		return readLine(reader)
	}
	restore, err := hideInput(int(f.Fd()))
	if err != nil { // no terminal
		return readLine(reader)
	}
	defer restore()
	fmt.Fprintf(prompt, "New password of %s: ", name)
	first, err := readLine(reader)
	if err != nil {
		return "", err
	}
	fmt.Fprint(prompt, "\nAgain: ")
	second, err := readLine(reader)
	fmt.Fprintln(prompt)
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords are not the same")
	}
	return first, nil
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// hideInput turns off the echo of a terminal.
func hideInput(fd int) (restore func(), err error) {
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	quiet := *was
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, was) }, nil
}
