// Package notify tells people what happens: in the console, by e-mail, and other programs by webhook.
//
// An Event is written down in the transaction of what it tells of, together with one notification for each person and
// one delivery for each webhook and mailbox (the outbox), so that neither a restart nor a broken mail server loses it:
//
//	Enqueue(tx, event) ─▶ notifications ─▶ the console, at once by Subscribe
//	                  └─▶ deliveries ─▶ Run: claim, send, and again after a while when it fails, for a day
//
// A delivery is tried at least once and may, after a crash, arrive twice; its id is the same both times. Everything is
// bounded: deliveries that wait, mails to one address in an hour, notifications of a person, streams, answers that are
// read. What overflows is dropped, the urgent last, and said in the log.
//
// # Webhooks
//
// Requests are signed as the Standard Webhooks specification has it: header webhook-id, webhook-timestamp (seconds since
// 1970) and webhook-signature, "v1," and the base64 of the HMAC-SHA256 of id "." timestamp "." body. The body is
//
//	{"type": "access_request.made", "timestamp": "2026-03-01T12:00:00Z", "data": {"urgent": false, "title": …, "text": …, "link": …, …}}
//
// Any 2xx answer is a receipt. Redirects are not followed: a signed body goes to the address that was configured or nowhere.
package notify
