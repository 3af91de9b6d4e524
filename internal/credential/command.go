package credential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/sensitive"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// defaultPath is where a command finds others.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// command runs a program of the configuration.
type command struct {
	config config.CredentialCommand
	env    []string
}

func newCommand(c config.CredentialCommand, environ []string) *command {
	out := &command{config: c, env: []string{defaultPath}}
	for _, name := range c.Env {
		for _, entry := range environ {
			if strings.HasPrefix(entry, name+"=") {
				out.env = append(out.env, entry)
			}
		}
	}
	return out
}

// question is what a command reads.
type question struct {
	Target    string `json:"target"`
	Address   string `json:"address"`
	Account   string `json:"account"`
	Username  string `json:"username"`
	Domain    string `json:"domain"`
	Reference string `json:"reference"`
}

// fetch runs the command. Its standard error is not read: nobody knows what it says there.
func (c *command) fetch(ctx context.Context, t *target.Target, a target.Account) (target.Credential, error) {
	ask, err := json.Marshal(question{t.ID, t.Address, a.Name, a.Username, a.Domain, a.Source.Command.Reference})
	if err != nil {
		return target.Credential{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	out := sensitive.NewBuffer(maxOutputBytes)
	defer out.Wipe()
	cmd := exec.CommandContext(ctx, c.config.Argv[0], c.config.Argv[1:]...)
	cmd.Env, cmd.Dir = c.env, "/"
	cmd.Stdin, cmd.Stdout = bytes.NewReader(append(ask, '\n')), out
	// A group of its own, so that what it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killDelay
	if err := cmd.Run(); err != nil {
		return target.Credential{}, c.failure(ctx, err)
	}
	if out.Over() {
		return target.Credential{}, fmt.Errorf("command %s wrote more than %d bytes", c.config.Name, maxOutputBytes)
	}
	return c.parse(out.Bytes())
}

// failure words why a command gave nothing, without what it wrote.
func (c *command) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("command %s did not end within %v: %w", c.config.Name, c.config.Timeout, context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("command %s: %s", c.config.Name, exit.ProcessState)
	}
	return fmt.Errorf("command %s: %w", c.config.Name, err)
}

// parse reads what a command wrote. It keeps no reference to b.
func (c *command) parse(b []byte) (target.Credential, error) {
	if c.config.Format == config.CredentialPlain {
		line, _ := bytes.CutSuffix(b, []byte("\n"))
		line, _ = bytes.CutSuffix(line, []byte("\r"))
		switch {
		case len(line) == 0:
			return target.Credential{}, fmt.Errorf("command %s wrote nothing", c.config.Name)
		case bytes.ContainsAny(line, "\r\n\x00"):
			return target.Credential{}, fmt.Errorf("command %s wrote more than one line", c.config.Name)
		}
		return target.Credential{Password: target.NewPassword(bytes.Clone(line))}, nil
	}
	var answer struct {
		Username string         `json:"username"`
		Domain   string         `json:"domain"`
		Password sensitive.Text `json:"password"`
	}
	// The decoder's error may quote what it read.
	if err := json.Unmarshal(b, &answer); err != nil {
		return target.Credential{}, fmt.Errorf(`command %s did not write an object with a text "password"`, c.config.Name)
	}
	if len(answer.Password) == 0 {
		return target.Credential{}, fmt.Errorf("command %s told no password", c.config.Name)
	}
	return target.Credential{Username: answer.Username, Domain: answer.Domain, Password: target.NewPassword(answer.Password)}, nil
}
