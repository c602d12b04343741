package redis

import driver "github.com/redis/go-redis/v9"

// AddHook adds a hook to the client of the primary.
func (b *Backend) AddHook(h driver.Hook) { b.primary.AddHook(h) }
