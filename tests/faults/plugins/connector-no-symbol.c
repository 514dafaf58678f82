/* A shared object, and no plugin. */
int connector_no_symbol(void);
int connector_no_symbol(void)
{
    return 0;
}
