# Certificates and kubeconfigs. One authority for everything; keys are elliptic, for speed.

make_authority() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/pki/ca.key"
    openssl req -x509 -new -key "$dir/pki/ca.key" -subj /CN=test-cluster -days 30 -out "$dir/pki/ca.crt" 2>/dev/null
}

# certificate FILE SUBJECT [NAMES]: NAMES as in subjectAltName.
certificate() {
    local base=$dir/pki/$1
    openssl ecparam -name prime256v1 -genkey -noout -out "$base.key"
    {
        echo "basicConstraints=CA:FALSE"
        echo "keyUsage=digitalSignature"
        echo "extendedKeyUsage=serverAuth,clientAuth"
        [ -z "${3:-}" ] || echo "subjectAltName=$3"
    } >"$base.ext"
    openssl req -new -key "$base.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -CA "$dir/pki/ca.crt" -CAkey "$dir/pki/ca.key" -set_serial "0x$(openssl rand -hex 12)" \
            -days 30 -extfile "$base.ext" -out "$base.crt" 2>/dev/null
}

# kubeconfig NAME CREDENTIALS: CREDENTIALS are lines of the user's entry.
kubeconfig() {
    cat >"$dir/conf/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: test-cluster
clusters:
  - name: test-cluster
    cluster:
      server: https://$api_address:$api_port
      certificate-authority-data: $(base64 -w0 "$dir/pki/ca.crt")
users:
  - name: $1
    user:
$2
contexts:
  - name: test-cluster
    context: { cluster: test-cluster, user: $1 }
YAML
    chmod 600 "$dir/conf/$1.kubeconfig"
}

# identity NAME SUBJECT: a client certificate and its kubeconfig.
identity() {
    certificate "$1" "$2"
    kubeconfig "$1" "      client-certificate-data: $(base64 -w0 "$dir/pki/$1.crt")
      client-key-data: $(base64 -w0 "$dir/pki/$1.key")"
}

make_certificates() {
    make_authority
    certificate apiserver /CN=kube-apiserver \
        "IP:$api_address,IP:127.0.0.1,IP:10.43.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client
    identity admin /O=system:masters/CN=admin
    identity controller-manager /CN=system:kube-controller-manager
    identity scheduler /CN=system:kube-scheduler
    openssl genrsa -out "$dir/pki/accounts.key" 2048 2>/dev/null
    openssl rsa -in "$dir/pki/accounts.key" -pubout -out "$dir/pki/accounts.pub" 2>/dev/null
}

# api METHOD PATH [BODY]: one request as the administrator.
api() {
    local body=() type=application/json
    [ "$1" != PATCH ] || type=application/merge-patch+json
    [ $# -lt 3 ] || body=(--data-binary "$3" -H "Content-Type: ${content_type:-$type}")
    nsenter --net="$dir/net" -- curl --silent --show-error --fail-with-body --max-time 30 \
        --cacert "$dir/pki/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key" \
        -X "$1" "${body[@]}" "https://$api_address:$api_port$2"
}

# account_kubeconfig NAMESPACE NAME: prints a kubeconfig that carries a token of this ServiceAccount.
account_kubeconfig() {
    [ $# = 2 ] || die "token: name the namespace and the ServiceAccount"
    local answer token
    answer=$(api POST "/api/v1/namespaces/$1/serviceaccounts/$2/token" \
        '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":7200}}') ||
        die "no token for $1/$2: $answer"
    token=$(sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' <<<"$answer")
    kubeconfig "account-$1-$2" "      token: $token"
    cat "$dir/conf/account-$1-$2.kubeconfig"
}
