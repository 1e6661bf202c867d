module github.com/caddygrant/caddy-grant/bench/dashboard

go 1.26
