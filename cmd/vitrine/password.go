package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/identity"
)

// newPassword gets a password as the flags say; shown tells that it was made here and has to be printed.
func newPassword(cmd *cobra.Command, name string) (password string, shown bool, err error) {
	random, err := cmd.Flags().GetBool("random")
	if err != nil {
		return "", false, err
	}
	if random {
		return identity.NewPassword(), true, nil
	}
	password, err = readPassword(cmd.InOrStdin(), cmd.ErrOrStderr(), name)
	return password, false, err
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
