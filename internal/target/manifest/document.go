package manifest

import (
	"github.com/vitrine-psm/vitrine/internal/config"
)

// kindTarget is the kind of a document.
const kindTarget = "Target"

// document is a target as it is written.
type document struct {
	Kind        string           `yaml:"kind"`
	ID          string           `yaml:"id"`
	Name        string           `yaml:"name"`
	Description string           `yaml:"description"`
	Protocol    string           `yaml:"protocol"`
	Address     string           `yaml:"address"`
	Tags        []string         `yaml:"tags"`
	TLS         tls              `yaml:"tls"`
	Clipboard   config.Clipboard `yaml:"clipboard"`
	ViewOnly    bool             `yaml:"view_only"`
	Recording   recording        `yaml:"recording"`
	RDP         *config.RDP      `yaml:"rdp"`
	Accounts    []account        `yaml:"accounts"`
}

type tls struct {
	Mode        config.TLSMode `yaml:"mode"`
	ServerName  string         `yaml:"server_name"`
	CA          string         `yaml:"ca"`
	CAFile      string         `yaml:"ca_file"`
	Fingerprint string         `yaml:"fingerprint"`
}

type recording struct {
	Keys config.Keys `yaml:"keys"`
}

type account struct {
	Name        string      `yaml:"name"`
	Username    string      `yaml:"username"`
	Domain      string      `yaml:"domain"`
	Description string      `yaml:"description"`
	Tags        []string    `yaml:"tags"`
	Credential  *credential `yaml:"credential"`
}

type credential struct {
	None         bool          `yaml:"none"`
	Password     config.Secret `yaml:"password"`
	PasswordFile string        `yaml:"password_file"`
	PasswordEnv  string        `yaml:"password_env"`
	Vault        *vaultRef     `yaml:"vault"`
	Command      *commandRef   `yaml:"command"`
}

type vaultRef struct {
	Name          string `yaml:"name"`
	Path          string `yaml:"path"`
	UsernameField string `yaml:"username_field"`
	PasswordField string `yaml:"password_field"`
}

type commandRef struct {
	Name      string `yaml:"name"`
	Reference string `yaml:"reference"`
}
