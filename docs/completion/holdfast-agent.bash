# bash completion for holdfast-agent; load it with: source docs/completion/holdfast-agent.bash
# In step with the program's own help: tests/e2e/man_pages_test.py.
_holdfast_agent() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
  case $prev in
    --state) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    --bundle) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --proxy) COMPREPLY=($(compgen -W 'http:// env none' -- "$cur")); return ;;
    -o) COMPREPLY=($(compgen -W 'json table' -- "$cur")); return ;;
  esac
  case ${COMP_WORDS[1]} in
    enrol) words='--bundle --state --timeout --proxy' ;;
    run) words='--state --proxy --spool-max --verbose' ;;
    status) words='--state -o' ;;
    doctor) words='--state --timeout -o' ;;
    release | reclose | unenrol) words='--state' ;;
    journal) words='dump --state' ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words='enrol run status doctor release reclose unenrol journal version help'
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _holdfast_agent holdfast-agent
