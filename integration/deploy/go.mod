module github.com/caddygrant/caddy-grant/integration/deploy

go 1.26.0
