from daemon.sandbox.serve import main

main()
