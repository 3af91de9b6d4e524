package objectstore

import (
	"context"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// lockRequests is how many objects are locked at a time: a long session has thousands.
const lockRequests = 8

var _ Locker = (*MinIO)(nil)

// CheckLock returns ErrNoLock when objects are to be locked and the bucket cannot, and another error when that cannot be
// found out. A bucket that is missing and may be made gets what it needs.
func (m *MinIO) CheckLock(ctx context.Context) error {
	if m.cfg.LockMode == "" {
		return nil
	}
	if m.cfg.CreateBucket {
		if err := m.makeBucket(ctx); err != nil {
			return err
		}
	}
	enabled, _, _, _, err := m.client.GetObjectLockConfig(ctx, m.cfg.Bucket)
	if minio.ToErrorResponse(err).Code == "ObjectLockConfigurationNotFoundError" || err == nil && enabled != "Enabled" {
		return fmt.Errorf("%w: %s must be made anew with it, or recording.object_lock be taken away", ErrNoLock, m.cfg.Bucket)
	}
	if err != nil {
		return fmt.Errorf("objectstore: object lock of the bucket: %w", err)
	}
	return nil
}

// lockNew locks an object that is about to be put.
func (m *MinIO) lockNew(put *minio.PutObjectOptions, l Lock) {
	if m.cfg.LockMode == "" {
		return
	}
	if !l.Until.IsZero() {
		put.Mode, put.RetainUntilDate = m.cfg.LockMode.retention(), wholeSecond(l.Until)
	}
	if l.Hold {
		put.LegalHold = minio.LegalHoldEnabled
	}
}

// wholeSecond rounds up: S3 knows whole seconds, and no object may go too early.
func wholeSecond(t time.Time) time.Time {
	if r := t.Truncate(time.Second); r.Before(t) {
		return r.Add(time.Second).UTC()
	}
	return t.UTC()
}

// Lock sets the time and the legal hold of each object. Without a LockMode the server locks nothing.
func (m *MinIO) Lock(ctx context.Context, folder string, l Lock) error {
	if m.cfg.LockMode == "" {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lockRequests)
	for o, err := range m.List(ctx, folder+"/") {
		if err != nil {
			return firstOf(group.Wait(), err)
		}
		group.Go(func() error { return m.lockOne(ctx, o.Key, l) })
	}
	return group.Wait()
}

// firstOf returns the first error there is: the second may only follow from it.
func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (m *MinIO) lockOne(ctx context.Context, key string, l Lock) error {
	name := m.cfg.Prefix + key
	if !l.Until.IsZero() {
		until, mode := wholeSecond(l.Until), m.cfg.LockMode.retention()
		_, has, err := m.client.GetObjectRetention(ctx, m.cfg.Bucket, name, "")
		if err != nil && minio.ToErrorResponse(err).Code != "NoSuchObjectLockConfiguration" {
			return m.failed("lock", key, err)
		}
		if has == nil || has.Before(until) {
			if err := m.client.PutObjectRetention(ctx, m.cfg.Bucket, name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}); err != nil {
				return m.failed("lock", key, err)
			}
		}
	}
	status := minio.LegalHoldDisabled
	if l.Hold {
		status = minio.LegalHoldEnabled
	}
	return m.failed("lock", key, m.client.PutObjectLegalHold(ctx, m.cfg.Bucket, name, minio.PutObjectLegalHoldOptions{Status: &status}))
}
