package testbed

import (
	"crypto/des"
	"math/bits"
	"os"
	"path/filepath"
)

// PasswordFile writes a password as VNC servers keep it, encrypted with a key known to everyone, and returns
// the file's name. Only the first eight bytes count.
func PasswordFile(t TB, password string) string {
	t.Helper()
	key := []byte{23, 82, 107, 6, 35, 78, 88, 7}
	for i := range key {
		key[i] = bits.Reverse8(key[i]) // VNC's DES reads the bits of a key byte from the other end
	}
	cipher, err := des.NewCipher(key)
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	block := make([]byte, des.BlockSize)
	copy(block, password)
	cipher.Encrypt(block, block)
	file := filepath.Join(t.TempDir(), "vncpasswd")
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return file
}
