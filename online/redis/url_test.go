package redis_test

import (
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis"
)

// Each mistake in a URL is named, with a remedy, and without what may be a password.
func TestAMistakeInAURLIsNamed(t *testing.T) {
	for url, says := range map[string]string{
		"": "a scheme", "http://u:secret@host": "a scheme", "redis+sentinels://u:secret@h/m": "a scheme", "sentinel://u:secret@h/m": "a scheme",
		"redis://u:secret@host:port": "redis://", "redis://u:sec/secret@host/x": "redis://", "redis://u:secret%zz@host": "redis://", "unix://u:secret@": "redis://",
		"redis://u:secret@host:99999": "1 to 65535", "redis://u:secret@host:0": "1 to 65535", "redis://u:secret@host/-1": "below 0", "unix://u:secret@/s?db=-1": "below 0",
		"redis://u:secret@host/0?secretive=x": "an option that does not exist", "redis://u:secret@host?pol_size=secret": "pool_size", "redis://u:1?secret=x@host": "%3F", "redis://u:1?secret@host": "%3F",
		"redis://u:secret@host?pool_size=secret": "redis://", "redis://u:secret@host?pool_size=%zz": "options",
		"redis://u:secret@host?read_from=replica": "sentinels", "redis://u:secret@host?read_from=secret": "read_from", "redis://u:secret@host?sentinel_password=secret": "sentinels",
		"redis://u:secret@host?tls_ca=secret": "rediss://", "unix://u:secret@/s?tls_server_name=secret": "rediss://", "rediss://u:secret@host?tls_cert=secret": "tls_key",
		"rediss://u:secret@host?skip_verify=true": "tls_ca", "rediss+sentinel://u:secret@h/m?skip_verify=false": "tls_ca",
		"redis+sentinel://u:secret@h1,h2": "does not name the primary", "redis+sentinel://u:secret@h1,h2/?db=0": "does not name the primary", "redis+sentinel://u:secret@/m": "sentinel 1",
		"redis+sentinel://u:secret@h1,h2:0/m": "sentinel 2", "redis+sentinel://u:secret@h1,,h2/m": "sentinel 2", "redis+sentinel://u:secret@h1:x/m": "sentinel 1",
		"redis+sentinel://u:secret@::1/m": "sentinel 1", "redis+sentinel://u:a@b/secret@h/m": "no Sentinel takes", "redis+sentinel://u:secret@h/m*": "no Sentinel takes", "redis+sentinel://u:secret@h/m/x": "the number of a database",
		"redis+sentinel://u:secret@h/m/-1": "the number of a database", "redis+sentinel://u:secret@h/m/0/1": "the number of a database", "redis+sentinel://u:secret@h/m?db=-1": "below 0",
		"redis+sentinel://u:secret@h/m?sentinel_username=secret": "sentinel_password", "redis+sentinel://u:secret@h/m?tls_ca=secret": "rediss+sentinel://",
	} {
		t.Run(url, func(t *testing.T) {
			err := redis.CheckURL(url)
			isKind(t, err, fstore.ErrInvalid, says)
			if _, hints := fstore.Explain(err); len(hints) != 1 {
				t.Errorf("%v has no remedy", err)
			}
			if _, opened := redis.Open(url); opened == nil || opened.Error() != err.Error() {
				t.Errorf("Open says %v", opened)
			}
		})
	}
}

func TestURLsThatAreValid(t *testing.T) {
	for _, url := range []string{
		"redis://host", "redis://u:p@[::1]:6379/3?pool_size=5&read_timeout=1s", "rediss://host?tls_ca=/a&tls_cert=b&tls_key=c&tls_server_name=n", "unix:///s?db=1",
		"redis+sentinel://h/m", "redis+sentinel://h1:1,h2,[::1],[::2]:3/m/2?read_from=replica", "rediss+sentinel://u:p%40@h/m.a-b_c/?read_from=primary&db=1&sentinel_username=u&sentinel_password=p",
	} {
		if err := redis.CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
