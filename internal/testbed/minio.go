package testbed

import "time"

// MinIO is a real object store with an empty folder.
type MinIO struct {
	Endpoint  string // host:port, plain HTTP
	AccessKey string
	SecretKey string

	t       TB
	program string
	folder  string
	console string // host:port of its own console, which nobody needs
	process *Process
}

// StartMinIO starts the MinIO server that deploy/install-deps.sh built, or the one VITRINE_MINIO names.
func StartMinIO(t TB) *MinIO {
	t.Helper()
	program, err := cached("minio", "VITRINE_MINIO")
	if err != nil {
		unavailable(t, err.Error())
	}
	m := &MinIO{
		Endpoint: freeAddr(t), AccessKey: "testbed", SecretKey: "testbed-secret",
		t: t, program: program, folder: t.TempDir(), console: freeAddr(t),
	}
	m.Start()
	return m
}

// Start starts the server again after Stop, on the same port and folder.
func (m *MinIO) Start() {
	m.t.Helper()
	if m.process != nil && m.process.Alive() {
		return
	}
	m.process = start(m.t, spawn{
		name: m.program,
		args: []string{"server", "--quiet", "--address", m.Endpoint, "--console-address", m.console, m.folder},
		env: []string{
			"MINIO_ROOT_USER=" + m.AccessKey, "MINIO_ROOT_PASSWORD=" + m.SecretKey,
			"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
		},
	})
	url := "http://" + m.Endpoint + "/minio/health/cluster"
	for end := time.Now().Add(startTimeout); !healthy(url); time.Sleep(50 * time.Millisecond) {
		if !m.process.Alive() || time.Now().After(end) {
			m.t.Fatalf("testbed: minio does not answer at %s\n%s", m.Endpoint, m.process.Output())
			return
		}
	}
}

// Stop ends the server; what it stores stays.
func (m *MinIO) Stop() { m.process.Stop() }
