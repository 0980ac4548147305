# bash completion for holdfastd; load it with: source docs/completion/holdfastd.bash
# In step with the program's own help: tests/e2e/man_pages_test.py.
_holdfastd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word
  local words='check-config reload roll scale backup restore migrate-store --dir --config --version --help'
  case $prev in
    --dir) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      check-config | reload | roll | scale | backup) words='--dir --config' ;;
      migrate-store) words='--dir --config --to' ;;
      restore) words='--dir --replace --state --check' ;;
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _holdfastd holdfastd
