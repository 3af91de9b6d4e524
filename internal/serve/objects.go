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
func OpenObjects(c config.Store) (ObjectStore, error) {
	if c.Type == config.StoreMinIO {
		return openMinIO(c)
	}
	return objectstore.OpenDisk(c.Path)
}

// ReadObjects opens the store of sealed recordings to read only, beside the process that writes to it.
func ReadObjects(c config.Store) (ObjectStore, error) {
	if c.Type == config.StoreMinIO {
		return openMinIO(c)
	}
	return objectstore.ReadDisk(c.Path)
}

func openMinIO(c config.Store) (ObjectStore, error) {
	var ca []byte
	if c.TLS.CAFile != "" {
		var err error
		if ca, err = os.ReadFile(c.TLS.CAFile); err != nil {
			return nil, fmt.Errorf("serve: store: %w", err)
		}
	}
	return objectstore.NewMinIO(objectstore.MinIOConfig{
		Endpoint: c.Endpoint, Secure: !c.TLS.Off, CAPEM: ca, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix,
		AccessKey: c.AccessKey, SecretKey: objectstore.Secret(c.SecretKey.Reveal()), CreateBucket: c.CreateBucket,
	})
}
