package serve

import (
	"fmt"
	"os"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// ObjectStore is a store that somebody has to close.
type ObjectStore interface {
	objectstore.Store
	Close() error
}

// OpenObjects opens the store of sealed recordings for the one process that writes to it.
func OpenObjects(r config.Recording) (ObjectStore, error) {
	if r.Store.Type == config.StoreMinIO {
		return openMinIO(r)
	}
	return objectstore.OpenDisk(r.Store.Path)
}

// ReadObjects opens the store of sealed recordings to read and lock only, beside the process that writes to it.
func ReadObjects(r config.Recording) (ObjectStore, error) {
	if r.Store.Type == config.StoreMinIO {
		return openMinIO(r)
	}
	return objectstore.ReadDisk(r.Store.Path)
}

func openMinIO(r config.Recording) (ObjectStore, error) {
	c := r.Store
	var mode objectstore.LockMode
	if r.ObjectLock.Mode != config.LockOff {
		mode = objectstore.LockMode(r.ObjectLock.Mode)
	}
	var ca []byte
	if c.TLS.CAFile != "" {
		var err error
		if ca, err = os.ReadFile(c.TLS.CAFile); err != nil {
			return nil, fmt.Errorf("serve: store: %w", err)
		}
	}
	m, err := objectstore.NewMinIO(objectstore.MinIOConfig{
		Endpoint: c.Endpoint, Secure: !c.TLS.Off, CAPEM: ca, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix,
		AccessKey: c.AccessKey, SecretKey: objectstore.Secret(c.SecretKey.Reveal()), CreateBucket: c.CreateBucket, LockMode: mode,
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}
